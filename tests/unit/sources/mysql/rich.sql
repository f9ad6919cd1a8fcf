-- One of everything that MariaDB 10.11 has and an application may use. Statements end at a line of two slashes.
CREATE SEQUENCE numbers START WITH 42 INCREMENT BY 7
//
SELECT NEXTVAL(numbers), NEXTVAL(numbers)
//
CREATE TABLE people (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(200) CHARACTER SET utf8mb4 NOT NULL UNIQUE,
  old VARCHAR(50) CHARACTER SET latin1,
  raw LONGBLOB, fixed BINARY(4), bits BIT(9), price DECIMAL(65,30), doc JSON, place GEOMETRY, spot POINT NOT NULL,
  born DATE, at DATETIME(6), seen TIMESTAMP NULL, year YEAR, length TIME(3), mood ENUM('glad', 'сад', '😀') CHARACTER SET utf8mb4,
  tags SET('a','b','c'), yes BOOL, f DOUBLE, tiny TINYINT, big BIGINT UNSIGNED,
  seq BIGINT DEFAULT NEXTVAL(numbers), quantity INT DEFAULT 4,
  twice INT GENERATED ALWAYS AS (quantity * 2) STORED, thrice INT GENERATED ALWAYS AS (quantity * 3) VIRTUAL,
  uid UUID, net INET6, body TEXT CHARACTER SET utf8mb4 COMMENT 'x''y; -- z',
  FULLTEXT KEY (body), SPATIAL KEY (spot), KEY partial (name(10)), CHECK (quantity < 1000)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='; DELIMITER // "`'
//
INSERT INTO people (name, old, raw, fixed, bits, price, doc, place, spot, born, at, seen, year, length, mood, tags, yes, f, tiny, big, uid, net, body)
SELECT CONCAT('person ', seq, ' \'"`;\\ \t\n(),( 日本語 😀'), 'é', UNHEX('000a0d1a27225c605cff'), 0x00ff0a5c, b'101010101',
  seq / 3, JSON_OBJECT('n', seq, 'ü', '\\"x'), ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))'), POINT(seq, -seq),
  IF(seq % 2, '0000-00-00', '2024-02-29'), '2024-01-01 12:00:00.123456', '2024-03-31 01:30:00', 2024, '-838:59:58.999', 'сад', 'a,c', 1,
  seq / 7, -128, 18446744073709551615, UUID(), 'fe80::1', REPEAT(');\n(', seq % 40)
FROM seq_1_to_500
//
UPDATE people SET raw = (SELECT GROUP_CONCAT(UNHEX(LPAD(HEX(seq), 2, '0')) ORDER BY seq SEPARATOR '') FROM seq_0_to_255) WHERE id = 1
//
CREATE TABLE orders (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, person INT UNSIGNED NOT NULL, parent BIGINT, note TEXT,
  CONSTRAINT of_person FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES orders (id)
) ENGINE=InnoDB AUTO_INCREMENT=1000
//
INSERT INTO orders (person, note) SELECT 1 + seq % 500, REPEAT('x', seq % 50) FROM seq_1_to_1000
//
CREATE TABLE measured (at DATE, value DOUBLE) PARTITION BY RANGE (YEAR(at)) (
  PARTITION p2023 VALUES LESS THAN (2024), PARTITION rest VALUES LESS THAN MAXVALUE)
//
INSERT INTO measured SELECT '2023-11-01' + INTERVAL seq DAY, seq / 7 FROM seq_1_to_100
//
CREATE TABLE `we``ird "t'; -- (\` (`a ``b` INT, `select` TEXT)
//
INSERT INTO `we``ird "t'; -- (\` VALUES (1, 'x'), (2, NULL), (3, '\\')
//
CREATE TABLE nothing (a INT)
//
CREATE OR REPLACE VIEW aa_late AS SELECT 1 AS person
//
CREATE VIEW zz_early AS SELECT person, COUNT(*) AS n FROM orders GROUP BY person
//
CREATE OR REPLACE VIEW aa_late AS SELECT person FROM zz_early
//
CREATE FUNCTION doubled(a INT) RETURNS INT DETERMINISTIC BEGIN
  -- a comment; with 'quotes
  # and another "
  /* and ; one more ' */
  RETURN a * 2;
END
//
CREATE VIEW using_function AS SELECT doubled(id) AS d FROM orders
//
CREATE PROCEDURE many(IN x TEXT, OUT y INT) BEGIN
  DECLARE i INT DEFAULT 0;
  WHILE i < 3 DO SET i = i + 1; END WHILE;
  SELECT ';' INTO @z; SET y = i;
END
//
CREATE TRIGGER orders_noted BEFORE UPDATE ON orders FOR EACH ROW BEGIN SET NEW.note = CONCAT(NEW.note, ';'); SET @t = 1; END
//
CREATE TRIGGER `odd ``name`
 AFTER INSERT ON nothing FOR EACH ROW SET @seen = "it's"
//
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' COMMENT 'x' DO BEGIN DELETE FROM nothing; SET @x = ';'; END
