"""The simple commands in a text for bash, with their words, variables and directories, as far as the text says them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

_OPERATORS: Final = ("&&", "||", ";;", "|&", ";", "|", "&", "(", ")")
_REDIRECTION: Final = re.compile(r"(?:\d+|&)?(?P<operator><<<|<<-|<<|<>|<&|>&|>>|>\||<|>)")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.DOTALL)
_VARIABLE: Final = re.compile(r"\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*)")
_BRACES: Final = re.compile(r"\{[^\s{}]*(?:,|\.\.)[^\s{}]*\}")
_KEYWORDS: Final = frozenset(
    {"!", "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "{", "}", "time"}
)
_DEEPEST: Final = 8
SHELLS: Final = frozenset({"bash", "sh", "zsh", "dash", "ksh"})
"""Programs that run texts such as these."""
_WITH_VALUE: Final = frozenset({"--rcfile", "--init-file"})


class Word(NamedTuple):
    """A word without its quotes.

    Attributes:
        text: The word; what the shell would put into it is left as it is written.
        known: Whether the shell puts nothing into it.
        quoted: Whether a part of it is quoted.
    """

    text: str
    known: bool = True
    quoted: bool = False


class SimpleCommand(NamedTuple):
    """A program that a text starts, with its arguments.

    Attributes:
        words: Its name and its arguments.
        variables: The variables that the text sets for it; None for a value that it does not say.
        directory: Its directory, relative to that of the text; None if the text does not say it.
        stdin: The text of its standard input; None if it is not in the text.
        stdin_file: The file that its standard input is read from.
    """

    words: tuple[Word, ...]
    variables: Mapping[str, str | None]
    directory: str | None
    stdin: str | None = None
    stdin_file: Word | None = None


def simple_commands(text: str) -> list[SimpleCommand]:
    """The simple commands in a text, in order, also those in its substitutions and in texts for other shells."""
    return list(_Reader(text, {}, "", _DEEPEST).read())


def commands_within(command: SimpleCommand, words: Sequence[Word]) -> list[SimpleCommand]:
    """The simple commands in the text that a command gives to a shell, whose words these are."""
    text = _inner_text(words, None)
    return [] if text is None else list(_Reader(text, command.variables, command.directory, _DEEPEST).read())


def joined(directory: str | None, path: str) -> str | None:
    """The path of something in a directory; None if the directory is unknown, and the path is relative to it."""
    if path.startswith("/") or directory == "":
        return path
    return None if directory is None else f"{directory}/{path}"


class _Input:
    """The standard input of a command, as far as its text has been read."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.file: Word | None = None
        self.is_ahead = False


class _Reader:
    """Reads one text as one shell."""

    def __init__(self, text: str, variables: Mapping[str, str | None], directory: str | None, depth: int) -> None:
        self._text = text
        self._at = 0
        self._variables = dict(variables)
        self._directory = directory
        self._depth = depth
        self._outer: list[tuple[dict[str, str | None], str | None]] = []
        self._heredocs: list[tuple[str, bool, bool]] = []
        self._inner: list[SimpleCommand] = []

    def read(self) -> Iterator[SimpleCommand]:
        """The simple commands of the text."""
        words: list[Word] = []
        given = _Input()
        while True:
            part = self._token()
            if isinstance(part, Word):
                words.append(part)
            elif _REDIRECTION.fullmatch(part):
                target = self._token()
                if isinstance(target, str):  # a redirection without a target is wrong in any case
                    return
                self._redirect(part, target, given)
            else:
                self._end_line(given, is_end=part == "\n")
                yield from self._inner
                self._inner = []
                yield from self._command(words, given.text, given.file)
                words, given = [], _Input()
                self._enter_or_leave(part)
                if not part:
                    return

    def _redirect(self, operator: str, target: Word, given: "_Input") -> None:
        if operator == "<":
            given.file = target
        elif operator == "<<<":
            given.text = target.text
        elif operator in ("<<", "<<-"):
            self._heredocs.append((target.text, operator == "<<-", not target.quoted))
            given.is_ahead = True

    def _end_line(self, given: "_Input", *, is_end: bool) -> None:
        """Read the here-documents that begin after this line, or those of a command before the end of the line."""
        if not (given.is_ahead or (is_end and self._heredocs)):
            return
        at, end = self._at, self._text.find("\n", self._at)
        if not is_end:
            self._at = len(self._text) if end < 0 else end + 1
        bodies = [self._heredoc(*each) for each in self._heredocs]
        if given.is_ahead:
            given.text = bodies[-1]
        if is_end:
            self._heredocs.clear()
        else:
            self._at = at

    def _enter_or_leave(self, operator: str) -> None:
        """Enter or leave a shell in parentheses, whose variables and directory are its own."""
        if operator == "(":
            self._outer.append((dict(self._variables), self._directory))
        elif operator == ")" and self._outer:
            self._variables, self._directory = self._outer.pop()

    def _command(self, words: list[Word], stdin: str | None, stdin_file: Word | None) -> Iterator[SimpleCommand]:
        """The command of some words, and what it does to this shell."""
        while words and words[0].text in _KEYWORDS and not words[0].quoted:
            keyword, *words = words
            if words and (keyword.text, words[0].text) == ("time", "-p"):
                words = words[1:]
        if len(words) > 1 and words[0].text == "function":
            words = [each for each in words[2:] if each.text != "{"]
        words = [part for word in words for part in _split(word)]
        own: dict[str, str | None] = {}
        while words and (match := _ASSIGNMENT.fullmatch(words[0].text)) is not None:
            self._assign(own, match, words[0])
            words = words[1:]
        if not words:
            self._variables |= own
        elif not self._changes_shell(words):
            variables = self._variables | own
            yield SimpleCommand(tuple(words), variables, self._directory, stdin, stdin_file)
            text = _inner_text(words, stdin)
            if text is not None and self._depth:
                yield from _Reader(text, variables, self._directory, self._depth - 1).read()

    def _changes_shell(self, words: list[Word]) -> bool:
        """Whether a command acts on the shell itself; then it has done so."""
        name = words[0].text
        if name in ("export", "declare", "typeset", "readonly", "local"):
            for each in words[1:]:
                match = _ASSIGNMENT.fullmatch(each.text)
                if match is not None:
                    self._assign(self._variables, match, each)
        elif name in ("cd", "pushd"):
            targets = [each for each in words[1:] if not each.text.startswith("-")]
            known = bool(targets) and targets[0].known and not targets[0].text.startswith("~")
            self._directory = joined(self._directory, targets[0].text) if known else None
        elif name == "unset":
            self._variables |= {each.text: "" for each in words[1:]}
        elif name == "popd":
            self._directory = None
        else:
            return name == "for"
        return True

    def _assign(self, into: dict[str, str | None], match: re.Match[str], word: Word) -> None:
        name, more, value = match.groups()
        before = into.get(name, self._variables.get(name)) if more else ""
        if before is None and name == "PYTHONPATH":
            before = "$PYTHONPATH"
        into[name] = f"{before}{value}" if word.known and before is not None else None
        if not word.known and name == "PYTHONPATH":  # its variables are known to the caller
            into[name] = value

    # Tokens

    def _token(self) -> Word | str:
        """The next word or operator; ``""`` at the end of the text."""
        text = self._text
        while self._at < len(text):
            letter = text[self._at]
            if letter in " \t\r":
                self._at += 1
            elif text.startswith("\\\n", self._at):
                self._at += 2
            elif letter == "#":
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            elif letter == "\n":
                self._at += 1
                return "\n"
            else:
                break
        else:
            return ""
        if text.startswith(("<(", ">("), self._at):  # the name of a pipe
            at = self._at
            self._at = _closing(text, at + 2)
            self._substitute(text[at + 2 : self._at - 1])
            return Word(text[at : self._at], known=False)
        redirection = _REDIRECTION.match(text, self._at)
        if redirection is not None:
            self._at = redirection.end()
            return redirection["operator"]
        for operator in _OPERATORS:
            if text.startswith(operator, self._at):
                self._at += len(operator)
                return operator
        return self._word()

    def _word(self) -> Word:
        text = self._text
        found: list[str] = []
        known, quoted = True, False
        while self._at < len(text):
            letter = text[self._at]
            if letter in " \t\r\n;|&()<>":
                break
            if letter == "'":
                quoted = True
                end = text.find("'", self._at + 1)
                end = len(text) if end < 0 else end
                found.append(text[self._at + 1 : end])
                self._at = end + 1
            elif letter == '"':
                quoted = True
                self._at += 1
                known &= self._in_quotes(found)
            elif letter == "\\":
                quoted = True
                found.append(text[self._at + 1 : self._at + 2].replace("\n", ""))
                self._at += 2
            elif letter in "$`":
                known &= self._expansion(found)
            else:
                known &= letter not in "*?[" and _BRACES.match(text, self._at) is None
                found.append(letter)
                self._at += 1
        return Word("".join(found), known, quoted)

    def _in_quotes(self, found: list[str]) -> bool:
        """Read up to the closing double quote; returns whether the shell puts nothing into it."""
        text, known = self._text, True
        while self._at < len(text) and text[self._at] != '"':
            letter = text[self._at]
            if letter == "\\" and text[self._at + 1 : self._at + 2] in ("$", "`", '"', "\\", "\n"):
                found.append(text[self._at + 1].replace("\n", ""))
                self._at += 2
            elif letter in "$`":
                known &= self._expansion(found)
            else:
                found.append(letter)
                self._at += 1
        self._at += 1
        return known

    def _expansion(self, found: list[str]) -> bool:
        """Read what begins with ``$`` or a backtick; returns whether its value is known."""
        text, at = self._text, self._at
        if text.startswith("$((", at):
            end = text.find("))", at)
            self._at = len(text) if end < 0 else end + 2
        elif text.startswith("$(", at):
            self._at = _closing(text, at + 2)
            self._substitute(text[at + 2 : self._at - 1])
        elif text[at] == "`":
            end = text.find("`", at + 1)
            end = len(text) if end < 0 else end
            self._at = end + 1
            self._substitute(text[at + 1 : end])
        else:
            match = _VARIABLE.match(text, at + 1)
            if match is not None:
                self._at = match.end()
                value = self._variables.get(match[1] or match[2])
                if value is not None:
                    found.append(value)
                    return True
            elif text.startswith("${", at):
                end = text.find("}", at)
                self._at = len(text) if end < 0 else end + 1
            else:
                self._at += 1
        found.append(text[at : self._at])
        return text[at : self._at] == "$"

    def _substitute(self, text: str) -> None:
        if self._depth:
            self._inner += _Reader(text, self._variables, self._directory, self._depth - 1).read()

    def _heredoc(self, end: str, strips: bool, expands: bool) -> str:  # noqa: FBT001 - as it was noted
        """The lines up to the end of a here-document."""
        lines = []
        while self._at < len(self._text):
            stop = self._text.find("\n", self._at)
            stop = len(self._text) if stop < 0 else stop
            line = self._text[self._at : stop]
            self._at = stop + 1
            line = line.lstrip("\t") if strips else line
            if line == end:
                break
            lines.append(line)
        body = "".join(f"{line}\n" for line in lines)
        return re.sub(r"\\([$`\\])", r"\1", body) if expands else body


def _closing(text: str, at: int) -> int:
    """The position after the parenthesis that closes a substitution."""
    depth, quote = 1, ""
    while at < len(text) and depth:
        letter = text[at]
        if letter == "\\" and quote != "'":
            at += 1
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            depth += {"(": 1, ")": -1}.get(letter, 0)
        at += 1
    return at


def _split(word: Word) -> list[Word]:
    """The words that a word becomes when the value of a variable in it has spaces."""
    if word.quoted or not word.known or _ASSIGNMENT.fullmatch(word.text) is not None:
        return [word]
    return [Word(text) for text in word.text.split()]


def _inner_text(words: Sequence[Word], stdin: str | None) -> str | None:
    """The text that a command gives to another shell: of ``bash -c TEXT``, ``bash <<< TEXT`` or ``eval TEXT``."""
    name, *rest = [each.text for each in words]
    if name == "eval":
        return " ".join(rest)
    if name.rpartition("/")[2] not in SHELLS:
        return None
    has_text = reads_input = False
    while rest and rest[0][:1] in ("-", "+"):
        option = rest.pop(0)
        letters = "" if option.startswith("--") else option[1:]
        has_text |= "c" in letters and option[0] == "-"
        reads_input |= "s" in letters
        if option in _WITH_VALUE or {"o", "O"} & set(letters):
            del rest[:1]
        if option == "--":
            break
    if has_text:
        return rest[0] if rest else None
    return stdin if reads_input or not rest else None
