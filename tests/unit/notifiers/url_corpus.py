"""URLs that must not lead anywhere: `{port}` is that of a canary on 127.0.0.1."""

from __future__ import annotations

LOOPBACK = [
    "127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1",
    "0177.0.0.1", "0177.1", "017700000001", "127.0.0.01", "127.0.0.1.", "127.0.0.0x1", "0x7f.0x0.0x0.0x1", "00000177.1",
    "localhost", "LOCALHOST", "localhost.", "LocalHost.", "localhost.localdomain", "ip6-localhost", "ip6-loopback",
    "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[0:0:0:0:0:ffff:127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]", "[2001:0:7f00:1::]", "[::1%25lo]", "[::1%lo]",
    "①②⑦.⓪.⓪.①", "１２７.０.０.１", "127。0。0。1", "127．0．0．1",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "ｌｏｃａｌｈｏｓｔ", "localhost。", "loca\u00adlhost",
]  # fmt: skip
UNSPECIFIED = ["0.0.0.0", "0", "0x0", "00", "0.0", "0.0.0", "000.000.000.000", "[::]", "[0:0:0:0:0:0:0:0]",
               "[::ffff:0.0.0.0]", "[::0.0.0.0]", "0.1.2.3"]  # fmt: skip
PRIVATE = [
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.255", "100.64.0.1",
    "100.127.255.254", "167772161", "0xa000001", "012.0.0.1", "0xc0a80001", "3232235521", "192.168.257", "10.1",
    "192.0.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.19.255.254", "198.51.100.1", "203.0.113.1", "240.0.0.1",
    "255.255.255.255", "224.0.0.1", "239.255.255.250", "[fc00::1]", "[fd00::1]", "[fdff:ffff::1]", "[fec0::1]",
    "[ff02::1]", "[ff0e::1]", "[2001:db8::1]", "[100::1]", "[::ffff:10.0.0.1]", "[::ffff:192.168.0.1]",
    "[::ffff:c0a8:1]", "[2002:a00:1::]", "[2002:c0a8:1::1]", "[64:ff9b::a00:1]", "[64:ff9b::192.168.0.1]",
    "[5f00::1]", "[3fff::1]", "[2001:2::1]", "[2001:10::1]",
]  # fmt: skip
LINK_LOCAL = ["169.254.0.1", "169.254.169.253", "169.254.255.254", "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%eth0]",
              "[febf::1]", "[::ffff:169.254.0.1]"]  # fmt: skip
METADATA = [
    "169.254.169.254", "169.254.169.254.", "2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376",
    "169.254.43518", "169.16689662", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]", "[fd00:ec2::254]", "100.100.100.200", "192.0.0.192", "metadata.google.internal",
    "instance-data", "169。254。169。254",
]  # fmt: skip
HOSTS = [*LOOPBACK, *UNSPECIFIED, *PRIVATE, *LINK_LOCAL, *METADATA]

WHOLE = [
    "http://public.example@127.0.0.1:{port}/", "http://public.example:80@127.0.0.1:{port}/",
    "http://user:pass@127.0.0.1:{port}/", "http://user:pass@localhost:{port}/", "http://a@b@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@public.example/", "http://127.0.0.1:{port}?@public.example/",
    "http://127.0.0.1:{port}\\@public.example/", "http://public.example\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/%2e%2e/", "http:\\\\127.0.0.1:{port}\\", "http:/127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/", "http:///127.0.0.1:{port}/", "http://///127.0.0.1:{port}/", "//127.0.0.1:{port}/",
    "127.0.0.1:{port}", "http://127.0.0.1:0/", "http://127.0.0.1:-1/", "http://127.0.0.1:99999/",
    "http://127.0.0.1:{port}:80/", "http://[127.0.0.1]:{port}/", "http://[::1]:{port}]/", "http://[::1/", "http://::1/",
    "http://%31%32%37.0.0.1:{port}/", "http://127%2e0%2e0%2e1:{port}/", "http://localhost%00.public.example:{port}/",
    "http://127.0.0.1:{port}%20.public.example/", "http://127.0.0.1 .public.example:{port}/",
    "http://127.0.0.1\t.public.example:{port}/", "http://127.0.0.1\n.public.example:{port}/",
    "http://127.0.0.1\r\nHost:public.example:{port}/", "http://\x00127.0.0.1:{port}/", " http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/\r\nX-Injected:1", "http://-127.0.0.1:{port}/", "http://.127.0.0.1:{port}/",
    "http://127..0.0.1:{port}/", "http://127.0.0.1..:{port}/", "http://../", "http://./",
    "http:///", "http://", "http:", "",
    "HTTP://127.0.0.1:{port}/", "hTTps://127.0.0.1:{port}/", "https://127.0.0.1:{port}/", "https://localhost:{port}/",
    "ftp://127.0.0.1:{port}/", "gopher://127.0.0.1:{port}/_x", "file:///etc/passwd", "file://127.0.0.1/etc/passwd",
    "dict://127.0.0.1:{port}/info", "ldap://127.0.0.1:{port}/", "tftp://127.0.0.1:{port}/", "jar:http://127.0.0.1:{port}/!/",
    "data:text/plain,x", "javascript:alert(1)", "unix:///var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "ws://127.0.0.1:{port}/", "smb://127.0.0.1/", "netdoc:///etc/passwd", "url:http://127.0.0.1:{port}/",
    "http://rebound.example:{port}/", "http://mixed.example:{port}/", "http://nowhere.example:{port}/",
    "http://127.0.0.1.sslip.example:{port}/", "http://private.example:{port}/", "http://mapped.example:{port}/",
    "http://zone.example:{port}/",
]  # fmt: skip


def urls(port: int) -> list[str]:
    """All of them."""
    hosts = [f"http://{host}:{port}/hook" for host in HOSTS]
    return [*hosts, *(url.replace("{port}", str(port)) for url in WHOLE)]
