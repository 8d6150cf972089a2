from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlq_monitor.access.tokens import Holder, Tokens, TokensError, digest, read
from dlq_monitor.cli.app import app
from dlq_monitor.settings import DlqSettings
from warren.errors import SettingsError

ANN = Holder("ann", "operator", digest("secret of ann"))
BO = Holder("bo@example.org", "reader", digest("secret of bo"))


def test_a_file_is_read_with_comments_and_empty_lines() -> None:
    assert read(f"# people\n\n{ANN.line} # on call\n  {BO.line}\n") == [ANN, BO]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ann operator", "name role sha256"),
        (f"ann admin {ANN.digest}", "no role"),
        (f"a/b operator {ANN.digest}", "cannot be a name"),
        (f"unknown operator {ANN.digest}", "cannot be a name"),
        ("cy operator my-token-itself", "no SHA-256"),
        (f"ann reader {digest('another')}", "there already"),
        (f"cy reader {ANN.digest}", "there already"),
    ],
)
def test_a_wrong_line_is_named_and_what_may_be_a_token_is_not_shown(line: str, reason: str) -> None:
    with pytest.raises(TokensError, match=reason) as refused:
        read(f"{ANN.line}\n{line}\n")
    assert str(refused.value).startswith("line 2: ")
    assert "my-token-itself" not in str(refused.value)


def test_a_wrong_file_at_the_start_is_an_error_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    for content in (None, b"ann", b"\xff\xfe"):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(SettingsError, match=r"WARREN_DLQ_TOKENS: .*tokens"):
            Tokens(file)


def test_a_changed_file_is_read_again_and_a_wrong_one_leaves_the_last_good_one_in_force(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "tokens"
    file.write_text(ANN.line)
    tokens = Tokens(file)
    assert tokens.holder("secret of ann") == ANN
    assert tokens.holder("secret of bo") is None
    file.write_text(f"{BO.line}\n")
    assert tokens.holder("secret of bo") == BO
    assert tokens.holder("secret of ann") is None
    for breaking in (lambda: file.write_text("oops\n"), file.unlink):
        caplog.clear()
        breaking()
        assert [tokens.holder("secret of bo") for _ in range(3)] == [BO] * 3
        assert [r.message for r in caplog.records] == [
            "the file of tokens is wrong: its last good version stays in force"
        ]
    file.write_text(ANN.line)
    assert tokens.holder("secret of ann") == ANN


def test_without_a_file_nobody_has_a_token() -> None:
    assert Tokens(None).holder("anything") is None
    assert not Tokens(None).known
    assert DlqSettings(dlq_tokens="").dlq_tokens == ""


def test_the_command_makes_a_token_and_adds_its_line(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(BO.line)  # without a newline at its end
    file.chmod(0o644)
    made = CliRunner().invoke(app, ["token", "ann", "--role", "operator", "--file", str(file)])
    assert made.exit_code == 0, made.output
    secret = made.stdout.strip()
    assert Tokens(file).holder(secret) == Holder("ann", "operator", digest(secret))
    assert Tokens(file).holder("secret of bo") == BO
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret not in file.read_text()
    again = CliRunner().invoke(app, ["token", "ann", "--role", "reader", "--file", str(file)])
    assert again.exit_code == 1
    assert "there already" in again.stderr
    assert CliRunner().invoke(app, ["token", "a b", "--role", "reader", "--file", str(file)]).exit_code == 2


def test_the_command_uses_the_stacks_file_or_says_what_to_add(tmp_path: Path) -> None:
    without = CliRunner().invoke(app, ["token", "ann", "--role", "reader", "--data", str(tmp_path)])
    secret = without.stdout.strip()
    assert f"ann reader {digest(secret)}" in without.stderr
    (tmp_path / "dlq-tokens").touch()
    CliRunner().invoke(app, ["token", "ann", "--role", "reader", "--data", str(tmp_path)])
    assert (tmp_path / "dlq-tokens").read_text().startswith("ann reader ")
