"""The recorded command line never contains a secret."""

import pytest

from pivot_core.conversion.plain import SecretDigest, to_plain
from pivot_runtime.history.command_line import masked, masked_call

STAGES = [
    (
        "p",
        "train@a",
        to_plain({"rate": 0.1, "token": SecretDigest("d"), "db": {"user": "u", "key": SecretDigest("d")}}),
    ),
    ("p", "other", to_plain({"rate": [1]})),
]


@pytest.mark.parametrize(
    ("words", "override", "shown"),
    [
        (["repro", "-p", "train.rate=0.2"], "train.rate=0.2", "pivot repro -p train.rate=0.2"),
        (["repro", "-p", "train.token=x y"], "train.token=x y", "pivot repro -p 'train.token=***'"),
        (["repro", "-qptrain.token=x"], "train.token=x", "pivot repro '-qptrain.token=***'"),
        (
            ["run", "--param=p.train@a.token=x", "a b"],
            "p.train@a.token=x",
            "pivot run '--param=p.train@a.token=***' 'a b'",
        ),
        (["repro", "-p", "train.db.key=x"], "train.db.key=x", "pivot repro -p 'train.db.key=***'"),
        (["repro", "-p", "train.db.user=x"], "train.db.user=x", "pivot repro -p train.db.user=x"),
        (["repro", "-p", "train.db={key: x}"], "train.db={key: x}", "pivot repro -p 'train.db=***'"),
        (["repro", "-p", "gone.rate=x"], "gone.rate=x", "pivot repro -p 'gone.rate=***'"),
        (["repro", "-p", "no"], "no", "pivot repro -p 'no=***'"),
    ],
)
def test_secrets_are_masked(words: list[str], override: str, shown: str) -> None:
    assert masked(words, [override], STAGES) == shown


def test_a_call_has_the_parameters_that_are_no_secrets() -> None:
    assert masked_call("pivot.repro()", ["train.rate=0.2"], STAGES) == "pivot.repro(params={'train.rate': 0.2})"
    given = ["train.rate=https://me:pw@e.org", "train.token=x=y"]
    shown = "pivot.repro('train', params={'train.rate': https://***@e.org, 'train.token': ***})"
    assert masked_call("pivot.repro('train')", given, STAGES) == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--var", "db.password=x=y"], "--var 'db.password=***'"),
        (["--var=api_key=x"], "'--var=api_key=***'"),
        (["--var", "monkey=x"], "--var monkey=x"),
        (["--var", "db={user: joe, password: x}"], "--var 'db=***'"),
        (["--var=db=[{'api_key': x}]"], "'--var=db=***'"),
        (["--var", "db={user: joe, monkey: x}"], "--var 'db={user: joe, monkey: x}'"),
        (["token=x"], "token=x"),
    ],
)
def test_variables_are_masked_by_their_names(words: list[str], shown: str) -> None:
    assert masked(["repro", *words], [], []) == f"pivot repro {shown}"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("url=https://me:secret@host/x?year=1", "url=https://***@host/x?year=1"),
        ("url=https://host/x?a=1&access_token=secret&b=2", "url=https://host/x?a=1&access_token=***&b=2"),
        ("url=s3://host/x?X-Amz-Signature=secret", "url=s3://host/x?X-Amz-Signature=***"),
        ("mail=me@host", "mail=me@host"),
    ],
)
def test_passwords_and_tokens_of_urls_are_masked(word: str, shown: str) -> None:
    words = masked(["repro", "--var", word], [], []).split()
    assert words[:3] == ["pivot", "repro", "--var"]
    assert words[3].strip("'") == shown
