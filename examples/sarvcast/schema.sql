CREATE TABLE users (
    id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
    name VARCHAR(190) NOT NULL,
    email VARCHAR(190) NOT NULL UNIQUE,
    created_at DATETIME(6) NOT NULL
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE stories (
    id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
    title VARCHAR(190) NOT NULL,
    narrator VARCHAR(190) NOT NULL,
    cover_path VARCHAR(190) NOT NULL,
    price DECIMAL(10, 2) NOT NULL DEFAULT 0
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE episodes (
    id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
    story_id BIGINT UNSIGNED NOT NULL,
    title VARCHAR(190) NOT NULL,
    audio_path VARCHAR(190) NOT NULL,
    seconds INT UNSIGNED NOT NULL,
    CONSTRAINT episodes_story FOREIGN KEY (story_id) REFERENCES stories (id) ON DELETE CASCADE
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE image_timelines (
    id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
    episode_id BIGINT UNSIGNED NOT NULL,
    image_path VARCHAR(190) NOT NULL,
    start_second INT UNSIGNED NOT NULL,
    end_second INT UNSIGNED NOT NULL,
    fingerprint BINARY(16) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    CONSTRAINT image_timelines_episode FOREIGN KEY (episode_id) REFERENCES episodes (id) ON DELETE CASCADE,
    INDEX image_timelines_moment (episode_id, start_second)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE story_comments (
    id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
    story_id BIGINT UNSIGNED NOT NULL,
    user_id BIGINT UNSIGNED NOT NULL,
    body TEXT NOT NULL,
    status ENUM ('pending', 'approved', 'rejected') NOT NULL DEFAULT 'pending',
    created_at DATETIME(6) NOT NULL,
    CONSTRAINT story_comments_story FOREIGN KEY (story_id) REFERENCES stories (id) ON DELETE CASCADE,
    CONSTRAINT story_comments_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE performance_metrics (
    id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
    name VARCHAR(100) NOT NULL,
    value DOUBLE NOT NULL,
    labels JSON NOT NULL,
    alert VARCHAR(190) NULL,
    measured_at DATETIME(6) NOT NULL,
    INDEX performance_metrics_name (name, measured_at)
) DEFAULT CHARSET = utf8mb4;

CREATE VIEW approved_comments AS
    SELECT c.id, s.title, u.name, c.body
    FROM story_comments c
    JOIN stories s ON s.id = c.story_id
    JOIN users u ON u.id = c.user_id
    WHERE c.status = 'approved';

CREATE TRIGGER timeline_is_in_order BEFORE INSERT ON image_timelines FOR EACH ROW
    SET NEW.end_second = GREATEST(NEW.end_second, NEW.start_second);
