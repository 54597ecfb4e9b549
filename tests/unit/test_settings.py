"""Settings as an operator writes them: where they are read from, which wins, and what is said when one is wrong."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from guestpass.domain.visit import AddressDetail
from guestpass.settings import Listen, LogFormat, Settings, SettingsError, Source, describe, load

SECRET = "correct-horse-battery-staple-0123456789"


def read(tmp_path: Path, toml: str | None = None, **variables: str) -> Settings:
    environ = {f"GUESTPASS_{name}": value for name, value in variables.items()}
    if toml is not None:
        file = tmp_path / "given.toml"
        file.write_text(toml, encoding="utf-8")
        environ["GUESTPASS_CONFIG"] = str(file)
    environ.setdefault("GUESTPASS_DATA_DIR", str(tmp_path))
    return load(environ, system_file=tmp_path / "absent.toml").settings


def refusal(tmp_path: Path, toml: str | None = None, **variables: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, toml, **variables)
    return str(caught.value)


def test_defaults(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert settings.data_dir == tmp_path
    assert settings.database_file == tmp_path / "guestpass.db"
    assert settings.listen == Listen("127.0.0.1", 8080)
    assert settings.admin_listen == Listen("127.0.0.1", 8081)
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.admin_url == "http://localhost:8081"
    assert settings.link_domain is None
    assert settings.max_link_lifetime == timedelta(hours=8760)
    assert settings.api_on_public
    assert settings.trusted_proxies == ()
    assert settings.upstream_allow == ()


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1", "255.255.255.255",
        "::", "fe80::1", "fd00:ec2::254", "ff02::1",
    ],
)  # fmt: skip
def test_upstreams_at_such_addresses_are_denied_by_default(tmp_path: Path, address: str) -> None:
    assert any(ipaddress.ip_address(address) in network for network in read(tmp_path).upstream_deny)


@pytest.mark.parametrize("setting", ["upstream_deny", "upstream_allow", "trusted_proxies"])
def test_a_network_of_mapped_addresses_is_the_ipv4_network_that_addresses_are_compared_with(
    tmp_path: Path, setting: str
) -> None:
    networks = getattr(read(tmp_path, f'{setting} = ["::ffff:10.0.0.0/104", "::ffff:192.0.2.7"]'), setting)
    assert networks == (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("192.0.2.7"))


@pytest.mark.parametrize("address", ["10.0.0.5", "172.17.0.1", "192.168.1.2", "127.0.0.1", "fd12::1", "203.0.113.9"])
def test_upstreams_at_such_addresses_are_not_denied_by_default(tmp_path: Path, address: str) -> None:
    assert not any(ipaddress.ip_address(address) in network for network in read(tmp_path).upstream_deny)


@pytest.mark.parametrize(
    ("listen", "public_url"),
    [
        ("0.0.0.0:9000", "http://127.0.0.1:9000"),
        ("[::]:9000", "http://[::1]:9000"),
        ("[::1]:9000", "http://[::1]:9000"),
        ("10.1.2.3:9000", "http://10.1.2.3:9000"),
        ("127.0.0.1:80", "http://127.0.0.1"),
        ("localhost:9000", "http://127.0.0.1:9000"),
        ("[::ffff:127.0.0.1]:9000", "http://127.0.0.1:9000"),
        ("[::ffff:10.1.2.3]:9000", "http://10.1.2.3:9000"),
    ],
)
def test_public_url_follows_listen(tmp_path: Path, listen: str, public_url: str) -> None:
    assert read(tmp_path, LISTEN=listen).public_url == public_url


def test_environment_before_file_before_default(tmp_path: Path) -> None:
    file = tmp_path / "given.toml"
    file.write_text('listen = "127.0.0.1:1001"\nadmin_listen = "127.0.0.1:1002"\n')
    environ = {
        "GUESTPASS_CONFIG": str(file),
        "GUESTPASS_DATA_DIR": str(tmp_path),
        "GUESTPASS_LISTEN": "127.0.0.1:1000",
    }
    loaded = load(environ, system_file=tmp_path / "absent.toml")
    assert loaded.file == file
    assert (loaded.settings.listen.port, loaded.settings.admin_listen.port) == (1000, 1002)
    sources = {line.name: line.source for line in describe(loaded)}
    assert sources["GUESTPASS_LISTEN"] is Source.ENVIRONMENT
    assert sources["GUESTPASS_ADMIN_LISTEN"] is Source.FILE
    assert sources["GUESTPASS_PUBLIC_URL"] is Source.DEFAULT


def test_the_file_of_the_system_comes_before_the_one_in_data_dir(tmp_path: Path) -> None:
    system, own = tmp_path / "system.toml", tmp_path / "data" / "guestpass.toml"
    own.parent.mkdir()
    own.write_text('listen = "127.0.0.1:1001"\n')
    environ = {"GUESTPASS_DATA_DIR": str(own.parent)}
    assert load(environ, system_file=system).settings.listen.port == 1001
    system.write_text('listen = "127.0.0.1:1002"\n')
    assert load(environ, system_file=system).settings.listen.port == 1002


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "postgresql+psycopg://guest:s3cret%40s3cret@db.example.com:6432/share",
            "postgresql+psycopg://guest:(hidden)@db.example.com:6432/share",
        ),
        (
            "postgresql://guest:s3cret@/share?host=a&host=b&sslpassword=s3cret&sslmode=verify-full",
            "postgresql://guest:(hidden)@/share?host=a&host=b&sslpassword=(hidden)&sslmode=verify-full",
        ),
        ("postgresql+psycopg://guest@db.example.com/share", "postgresql+psycopg://guest@db.example.com/share"),
    ],
)
def test_the_password_of_a_postgresql_database_is_shown_nowhere(tmp_path: Path, url: str, shown: str) -> None:
    loaded = load(
        {"GUESTPASS_DATA_DIR": str(tmp_path), "GUESTPASS_DATABASE_URL": url}, system_file=tmp_path / "none.toml"
    )
    assert loaded.settings.uses_postgresql
    assert loaded.settings.database_url == url
    assert loaded.settings.database_name == shown
    lines = {line.name: line.value for line in describe(loaded)}
    assert lines["GUESTPASS_DATABASE_URL"] == shown
    assert lines["GUESTPASS_SECRET_KEY"] == "(must be set)"
    assert "s3cret" not in f"{lines}{loaded.settings!r}{loaded.settings}"


def test_the_file_can_say_where_the_data_is(tmp_path: Path) -> None:
    system = tmp_path / "system.toml"
    system.write_text('data_dir = "/srv/guestpass"\n')
    assert load({}, system_file=system).settings.database_file == Path("/srv/guestpass/guestpass.db")


def test_a_file_in_data_dir_can_not_move_data_dir(tmp_path: Path) -> None:
    (tmp_path / "guestpass.toml").write_text('data_dir = "/srv/guestpass"\n')
    assert "GUESTPASS_DATA_DIR" in refusal(tmp_path)


def test_lists_have_commas_in_the_environment_and_are_arrays_in_the_file(tmp_path: Path) -> None:
    networks = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::1"))
    assert read(tmp_path, TRUSTED_PROXIES=" 10.0.0.0/8, fd00::1 ,").trusted_proxies == networks
    assert read(tmp_path, 'trusted_proxies = ["10.0.0.0/8", "fd00::1"]').trusted_proxies == networks
    assert read(tmp_path, "upstream_deny = []").upstream_deny == ()


def test_former_urls_tell_origins_from_domains(tmp_path: Path) -> None:
    settings = read(tmp_path, FORMER_URLS="https://Old.example.com/, links.example.net")
    assert settings.former_public_urls == ("https://old.example.com",)
    assert settings.former_link_domains == ("links.example.net",)


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    settings = read(tmp_path, 'listen = "127.0.0.1:1001"', LISTEN="", JWT_SECRET=" ", LINK_DOMAIN="")
    assert settings.listen.port == 1001
    assert settings.jwt_secret is None
    assert settings.link_domain is None


def test_origins_are_written_as_browsers_write_them(tmp_path: Path) -> None:
    settings = read(tmp_path, PUBLIC_URL="HTTPS://Share.Example.com:443/", ADMIN_URL="http://[0:0::1]:8081")
    assert settings.public_url == "https://share.example.com"
    assert settings.admin_url == "http://[::1]:8081"
    settings = read(tmp_path, PUBLIC_URL="http://[::FFFF:127.0.0.1]:8080", ADMIN_URL="http://[::ffff:0.1.2.3]:8081")
    assert settings.public_url == "http://[::ffff:7f00:1]:8080"
    assert settings.admin_url == "http://[::ffff:1:203]:8081"


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("DATA_DIR", "var/guestpass", "absolute path"),
        ("DATABASE_URL", "mysql://db/guestpass", "postgresql+psycopg://"),
        ("DATABASE_URL", "postgresql://guest:my@s3cret@db/guestpass", "percent-encoded"),
        ("DATABASE_URL", "postgresql://guest:my/s3cret@db/guestpass", "percent-encoded"),
        ("DATABASE_URL", "postgresql://guest:my#s3cret@db/guestpass", "percent-encoded"),
        ("DATABASE_URL", "postgresql://guest:s3cret@db:port/guestpass", "percent-encoded"),
        ("DATABASE_URL", "postgresql://guest:s3cret@db", "name of a database"),
        ("DATABASE_URL", "postgresql://guest@db/guestpass?password=s3cret", "before the @"),
        ("DATABASE_URL", "sqlite:///relative.db", "absolute path"),
        ("DATABASE_URL", "sqlite://", "absolute path"),
        ("LISTEN", "8080", "127.0.0.1:8080"),
        ("LISTEN", ":8080", "0.0.0.0"),
        ("LISTEN", "::1:8080", "brackets"),
        ("LISTEN", "127.0.0.1:0", "1 to 65535"),
        ("LISTEN", "127.0.0.1:65536", "1 to 65535"),
        ("LISTEN", "share.example.com:80", "IP address"),
        ("ADMIN_LISTEN", "127.0.0.1:8080", "GUESTPASS_LISTEN"),
        ("ADMIN_LISTEN", "0.0.0.0:8080", "GUESTPASS_LISTEN"),
        ("ADMIN_LISTEN", "[::ffff:127.0.0.1]:8080", "GUESTPASS_LISTEN"),
        ("PUBLIC_URL", "share.example.com", "http:// or https://"),
        ("PUBLIC_URL", "https://share.example.com/guests", "end after the host"),
        ("PUBLIC_URL", "https://share.example.com?", "end after the host"),
        ("PUBLIC_URL", "https://user:pw@share.example.com", "user name"),
        ("PUBLIC_URL", "https://share_1.example.com", "valid host"),
        ("PUBLIC_URL", "https://share[::1]", "must be a URL"),
        ("PUBLIC_URL", "https://[share.example.com]", "must be a URL"),
        ("DATABASE_URL", "postgresql://guest:s3cret@[::1]5/guestpass", "must be a URL"),
        ("ADMIN_URL", "ftp://admin.example.com", "http:// or https://"),
        ("LINK_DOMAIN", "https://share.example.com", "bare domain"),
        ("LINK_DOMAIN", "*.share.example.com", "leave out"),
        ("LINK_DOMAIN", "share.example.com:8080", "GUESTPASS_PUBLIC_URL"),
        ("LINK_DOMAIN", "10.0.0.1", "bare domain"),
        ("LINK_DOMAIN", "-a.example.com", "bare domain"),
        ("FORMER_URLS", "https://old.example.com/x", "end after the host"),
        ("JWT_SECRET", "too-short-to-sign-anything", "32 characters"),
        ("SECRET_KEY", "too-short-to-seal-anything", "32 characters"),
        ("MAX_LINK_LIFETIME", "a year", "24h"),
        ("MAX_LINK_LIFETIME", "0s", "at least 1s"),
        ("DATABASE_GRACE", "4s", "at least 5s"),
        ("API_ON_PUBLIC", "maybe", "true or false"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy", "10.0.0.0/8"),
        ("TRUSTED_PROXIES", "10.1.2.3/8", "write 10.0.0.0/8"),
        ("UPSTREAM_ALLOW", "*", "networks"),
        ("UPSTREAM_DENY", "1.2.3", "networks"),
        ("LOG_FORMAT", "xml", "console or json"),
    ],
)
def test_a_wrong_setting_is_one_line_with_its_name_and_the_remedy(
    tmp_path: Path, name: str, value: str, remedy: str
) -> None:
    text = refusal(tmp_path, **{name: value})
    assert text.startswith(f"GUESTPASS_{name} must ")
    assert "s3cret" not in text
    assert remedy in text
    assert "\n" not in text


def test_every_wrong_setting_is_named(tmp_path: Path) -> None:
    text = refusal(tmp_path, LISTEN="x", LOG_FORMAT="y", LISTN="z")
    assert [line.partition(" ")[0] for line in text.splitlines()] == [
        "GUESTPASS_LISTN", "GUESTPASS_LISTEN", "GUESTPASS_LOG_FORMAT",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["JWT_SECRET", "SECRET_KEY"])
def test_a_wrong_secret_is_not_repeated(tmp_path: Path, name: str) -> None:
    assert "hunter2" not in refusal(tmp_path, **{name: "hunter2"})
    assert "hunter2" not in refusal(tmp_path, f'{name.lower()} = "hunter2"')
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({name.lower(): "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_secrets_are_hidden(tmp_path: Path) -> None:
    loaded = load(
        {"GUESTPASS_DATA_DIR": str(tmp_path), "GUESTPASS_JWT_SECRET": SECRET, "GUESTPASS_SECRET_KEY": SECRET},
        system_file=tmp_path / "absent.toml",
    )
    assert loaded.settings.jwt_secret is not None
    assert loaded.settings.jwt_secret.get_secret_value() == SECRET
    assert SECRET not in repr(loaded)
    assert SECRET not in repr(describe(loaded))


@pytest.mark.parametrize(
    ("public_url", "link_domain"),
    [
        ("https://share.example.com", "share.example.com"),
        ("https://share.example.com", "example.com"),
        ("https://share.example.com", "Example.COM"),
        ("http://localhost:8080", "localhost"),
    ],
)
def test_links_must_not_share_cookies_with_the_public_url(tmp_path: Path, public_url: str, link_domain: str) -> None:
    text = refusal(tmp_path, PUBLIC_URL=public_url, LINK_DOMAIN=link_domain)
    assert text.startswith("GUESTPASS_LINK_DOMAIN must not be")
    assert "GUESTPASS_PUBLIC_URL" in text


@pytest.mark.parametrize(
    ("public_url", "link_domain"),
    [
        ("https://share.example.com", "links.share.example.com"),
        ("https://share.example.com", "are.example.com"),
        ("http://127.0.0.1:8080", "localhost"),
    ],
)
def test_links_may_live_beside_the_public_url(tmp_path: Path, public_url: str, link_domain: str) -> None:
    assert read(tmp_path, PUBLIC_URL=public_url, LINK_DOMAIN=link_domain).link_domain == link_domain


@pytest.mark.parametrize("detail", list(AddressDetail))
def test_visitors_addresses_are_kept_as_the_operator_says(tmp_path: Path, detail: AddressDetail) -> None:
    assert read(tmp_path, VISITOR_ADDRESSES=detail.value.upper()).visitor_addresses is detail
    assert read(tmp_path, f'visitor_addresses = "{detail}"').visitor_addresses is detail
    assert read(tmp_path).visitor_addresses is AddressDetail.SHORTENED


def test_other_words_for_visitors_addresses_are_answered_with_those_that_there_are(tmp_path: Path) -> None:
    for given in ("some", "true", "/24"):
        text = refusal(tmp_path, VISITOR_ADDRESSES=given)
        assert text == f"GUESTPASS_VISITOR_ADDRESSES must be full, shortened or none, not '{given}'."


def test_an_unknown_variable_is_named_with_the_nearest(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path, PUBLICURL="x") == "GUESTPASS_PUBLICURL is not a setting; did you mean GUESTPASS_PUBLIC_URL?"
    )
    assert re.fullmatch(r"GUESTPASS_ZZZ is not a setting; .*guestpass settings.*", refusal(tmp_path, ZZZ="x"))


def test_an_unknown_key_is_named_with_the_nearest(tmp_path: Path) -> None:
    assert "publicurl in" in refusal(tmp_path, 'publicurl = "x"')
    assert "did you mean public_url?" in refusal(tmp_path, 'publicurl = "x"')
    assert "did you mean listen?" in refusal(tmp_path, 'LISTEN = "127.0.0.1:1"')
    assert "server in" in refusal(tmp_path, '[server]\nlisten = "127.0.0.1:1"')


def test_variables_that_kubernetes_makes_for_a_service_are_not_ours(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        PORT="tcp://10.96.0.7:80",
        PORT_80_TCP="tcp://10.96.0.7:80",
        PORT_80_TCP_ADDR="10.96.0.7",
        SERVICE_HOST="10.96.0.7",
        SERVICE_PORT="80",
        SERVICE_PORT_HTTP="80",
        ADMIN_SERVICE_HOST="10.96.0.8",
        ADMIN_PORT="tcp://10.96.0.8:81",
    )
    assert settings.listen.port == 8080
    assert "GUESTPASS_PORT" in refusal(tmp_path, PORT="8080")


@pytest.mark.parametrize("toml", ["listen = 8080", "api_on_public = 2", "trusted_proxies = [1]", "jwt_secret = 5"])
def test_a_value_of_the_wrong_kind_in_the_file_names_setting_and_file(tmp_path: Path, toml: str) -> None:
    name = toml.partition(" ")[0]
    text = refusal(tmp_path, toml)
    assert text.startswith(f"GUESTPASS_{name.upper()} (in {tmp_path / 'given.toml'}) must be")


def test_a_file_that_is_not_toml_or_not_there(tmp_path: Path) -> None:
    assert "not valid TOML" in refusal(tmp_path, "listen = ")
    assert "does not exist" in refusal(tmp_path, CONFIG=str(tmp_path / "nowhere.toml"))


def test_settings_can_not_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        read(tmp_path).api_on_public = False


def test_settings_made_directly_read_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUESTPASS_LISTEN", "127.0.0.1:1")
    assert Settings(data_dir=tmp_path, log_format=LogFormat.JSON).listen.port == 8080


def test_addresses_of_the_server_fill_in_only_what_is_not_set(tmp_path: Path) -> None:
    settings = read(tmp_path, PUBLIC_URL="https://mine.example.com").with_addresses(
        public_url="https://theirs.example.com", admin_url="https://admin.example.com", link_domain="links.example.com"
    )
    assert settings.public_url == "https://mine.example.com"
    assert settings.admin_url == "https://admin.example.com"
    assert settings.link_domain == "links.example.com"


def test_workers_are_one_a_core_or_as_many_as_are_asked_for(tmp_path: Path) -> None:
    assert read(tmp_path).workers >= 1
    assert read(tmp_path, WORKERS="7").workers == 7
    assert read(tmp_path, "workers = 3").workers == 3


@pytest.mark.parametrize("number", ["0", "-1", "257", "1.5", "two"])
def test_a_number_of_workers_that_can_not_be(tmp_path: Path, number: str) -> None:
    text = refusal(tmp_path, WORKERS=number)
    assert "GUESTPASS_WORKERS" in text
    assert "from 1 to 256" in text


def test_with_a_certificate_the_urls_are_https(tmp_path: Path) -> None:
    settings = read(tmp_path, TLS_CERT="/etc/cert.pem", TLS_KEY="/etc/key.pem")
    assert (settings.tls_cert, settings.tls_key) == (Path("/etc/cert.pem"), Path("/etc/key.pem"))
    assert settings.public_url == "https://127.0.0.1:8080"
    assert settings.admin_url == "https://localhost:8081"


@pytest.mark.parametrize(("given", "missing"), [("TLS_CERT", "GUESTPASS_TLS_KEY"), ("TLS_KEY", "GUESTPASS_TLS_CERT")])
def test_half_a_pair_is_no_certificate(tmp_path: Path, given: str, missing: str) -> None:
    assert f"{missing} is not set" in refusal(tmp_path, **{given: "/etc/some.pem"})


def test_the_files_of_a_certificate_have_absolute_paths(tmp_path: Path) -> None:
    assert "must be an absolute path" in refusal(tmp_path, TLS_CERT="cert.pem", TLS_KEY="/etc/key.pem")
