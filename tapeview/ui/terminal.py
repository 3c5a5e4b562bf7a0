"""The terminal itself: whether it can show a screen, how the app ends, and what is written back to it at the end.

Signals, a closed terminal and a paused one are handled here, so that the screens never meet them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import select
import selectors
import signal
import sys
import termios
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from textual import constants, events
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.keys import Keys
from textual.message import Message

from feeds.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from textual.app import App

RESTORE: Final = (
    "\x1b[?2026l\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"
    "\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[0m"
)
"""Undoes whatever the screen switched on: synchronised output, paste and mouse modes, alternate screen, cursor."""
GRACE_S: Final = 1.5
"""Longest a clean end may take once a signal asked for it."""
RESIZE_S: Final = 0.05
"""Least time between two layouts while the window is being dragged."""
_FEW_GLYPHS: Final = frozenset({"linux", "ansi", "cons25", "sun", "dumb"})
"""Terminals without braille and eighths of blocks, besides those of the vt family."""
_PLAIN_LOCALES: Final = frozenset({"C", "POSIX"})
_ALT_DIGIT: Final = re.compile("\x1b([0-9])")
"""Alt with a digit, which Textual takes for the character that a Mac's Option key would write."""
_EVENT_TYPES: Final = "\x1b[=2;2u"
"""Asks a terminal that knows the kitty keyboard protocol to tell held keys and releases from presses."""
_TYPED: Final = re.compile(r"\x1b\[([\d:]*);(\d*):([123])((?:;[\d:]*)?)([u~ABCDEFHPQRS])")
"""A key with its event type, by that protocol: key, modifiers, type, text, ending."""
_REPEATED, _RELEASED = "2", "3"
BACKLOG: Final = 24
"""Writes waiting for a terminal that does not read before screens are dropped; Textual's queue blocks at 30."""


def require_terminal(environ: Mapping[str, str] = os.environ) -> None:
    """Refuse to start where no screen can be shown: not a terminal, or one that knows no cursor movement."""
    instead = "a terminal; without one use `tapeview book`, `tape`, `stats` or `info`, each with --json"
    for name, stream in (("stdin", sys.__stdin__), ("stdout", sys.__stdout__)):
        if stream is None or stream.closed or not stream.isatty():
            raise BadInput(f"{name} is not a terminal", None, instead)
    term = environ.get("TERM", "")
    if term in ("dumb", "unknown"):
        raise BadInput("TERM", term, instead.replace("a terminal;", "a terminal that can move its cursor;"))


def ascii_only(setting: str, environ: Mapping[str, str] = os.environ) -> tuple[bool, str]:
    """Whether to draw in ASCII alone, and what decided it.

    $TAPEVIEW_ASCII goes before the setting (`auto`, `on` or `off`); `auto` looks at the terminal and at the locale.
    """
    if asked := environ.get("TAPEVIEW_ASCII"):
        return asked.lower() not in ("0", "no", "off", "false"), f"TAPEVIEW_ASCII={asked}"
    if setting != "auto":
        return setting == "on", f"screen.ascii is {setting}"
    term = environ.get("TERM", "")
    if term in _FEW_GLYPHS or term.startswith("vt"):
        return True, f"the font of TERM={term} has few glyphs"
    named = {name: environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)}
    # Python itself puts LC_CTYPE=C.UTF-8 into the environment where the locale is C (PEP 538).
    if named.get("LANG") in _PLAIN_LOCALES and named.get("LC_CTYPE") == "C.UTF-8" and "LC_ALL" not in named:
        del named["LC_CTYPE"]
    for name, locale in named.items():
        utf8 = locale.partition("@")[0].lower().replace("-", "").endswith("utf8")
        return not utf8, f"{name}={locale}" + ("" if utf8 else " is not UTF-8")
    return False, "no locale is set"


class Ending:
    """How the app ends: the first request ends it cleanly with its exit code, the second at once.

    A request that is not met within GRACE_S is forced: the terminal is restored and the process left.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        self._exit: Callable[[int], None] | None = None
        self._attributes: list[Any] | None = None
        self._over = threading.Event()

    def attach(self, loop: asyncio.AbstractEventLoop, leave: Callable[[int], None]) -> None:
        """Say how a running app is left; `leave` runs on its loop."""

        def ask(code: int) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the app is gone already
                loop.call_soon_threadsafe(leave, code)

        self._exit = ask

    def request(self, code: int) -> None:
        """Ask for the end with an exit code, from any thread or signal handler."""
        if self.code is not None:
            self.force(self.code)
        self.code = code
        if self._exit is None:
            self.force(code)
        else:
            threading.Thread(target=self._deadline, args=(code,), daemon=True, name="tapeview-ending").start()
            self._exit(code)

    def force(self, code: int) -> None:
        """Restore the terminal and leave without waiting for anything."""
        restore(self._attributes)
        os._exit(code)

    def _deadline(self, code: int) -> None:
        if not self._over.wait(GRACE_S):
            self.force(code)

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Answer SIGTERM (143), SIGHUP (129), SIGINT (130) and SIGQUIT (131) while the app runs."""
        with contextlib.suppress(termios.error, ValueError, OSError):
            self._attributes = termios.tcgetattr(sys.__stdin__.fileno()) if sys.__stdin__ else None

        def received(number: int, _frame: FrameType | None) -> None:
            # A closing terminal sends SIGHUP besides failing reads and writes: one end, not two.
            if number != signal.SIGHUP or self.code is None:
                self.request(128 + number)

        before = {n: signal.signal(n, received) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)}
        try:
            yield
        finally:
            self._over.set()
            for number, handler in before.items():
                signal.signal(number, handler)


def restore(attributes: list[Any] | None) -> None:
    """Write RESTORE and set the terminal's line modes back, whatever state they are in."""
    for stream in (sys.__stderr__, sys.__stdout__):
        if stream is None:
            continue
        with contextlib.suppress(OSError, ValueError):
            fileno = stream.fileno()
            if os.isatty(fileno):
                os.set_blocking(fileno, False)  # a paused terminal must not keep us
                try:
                    os.write(fileno, RESTORE.encode())
                finally:
                    os.set_blocking(fileno, True)
                break
    if attributes is not None and sys.__stdin__ is not None:
        with contextlib.suppress(termios.error, ValueError, OSError):
            termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, attributes)


class _Ends(Protocol):
    ending: Ending


class HeldKey(events.Key):
    """A key that is held down, which the terminal tells again and again."""


# It is handled as any key; Textual names a handler after the class.
HeldKey.handler_name = events.Key.handler_name


class KeyParser(XTermParser):
    """Textual's parser, which also takes the event types of the kitty keyboard protocol.

    https://sw.kovidgoyal.net/kitty/keyboard-protocol/#event-types
    """

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self.tells_held = False
        """The terminal has shown that it tells held keys from presses."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        typed = _TYPED.fullmatch(sequence)
        if typed is None:
            yield from super()._sequence_to_key_events(sequence, alt)
            return
        self.tells_held = True
        code, modifiers, kind, written, end = typed.groups()
        if kind == _RELEASED:
            yield events.Key(Keys.Ignore, sequence)
            return
        for key in super()._sequence_to_key_events(_untyped(code, modifiers, written, end)):
            yield HeldKey(key.key, key.character) if kind == _REPEATED else key


def _untyped(code: str, modifiers: str, written: str, end: str) -> str:
    # The same key as it comes from a terminal that tells no event types.
    modifiers = "" if modifiers == "1" else modifiers
    if not modifiers and not written:
        return f"\x1b[{'' if code == '1' else code}{end}"
    return f"\x1b[{code};{modifiers}{written}{end}"


class _Output:
    """The terminal as a text file in UTF-8 that survives its closing: writes to a dead terminal vanish."""

    def __init__(self, fileno: int, gone: Callable[[], None]) -> None:
        self._fileno = fileno
        self._gone = gone
        self._dead = False
        self._parts: list[str] = []

    def write(self, text: str) -> int:
        """Keep text for the next flush."""
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Write all that was kept, waiting for a slow terminal; tell once when the terminal is gone."""
        data = memoryview("".join(self._parts).encode("utf-8", "replace"))
        self._parts.clear()
        while data and not self._dead:
            try:
                data = data[os.write(self._fileno, data) :]
            except BlockingIOError:
                select.select([], [self._fileno], [], 0.1)
            except OSError:
                self._dead = True
                self._gone()

    def fileno(self) -> int:
        """The terminal's descriptor."""
        return self._fileno

    def isatty(self) -> bool:
        """It is one."""
        return True


class TerminalDriver(LinuxDriver):
    """Textual's driver, made safe: a closed terminal ends the app, a slow one loses frames instead of stopping it."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        # Whichever of stderr and stdout is the terminal; Textual would write into a redirected stderr.
        screen = next((s for s in (sys.__stderr__, sys.__stdout__) if s is not None and s.isatty()), None)
        self._file = cast("Any", _Output(screen.fileno() if screen is not None else 2, self._hang_up))
        self._ending = cast("_Ends", app).ending
        self._ending.attach(self._loop, lambda code: app.exit(return_code=code))
        self._stopping = False
        self._resize: events.Resize | None = None
        self._resize_timer: asyncio.TimerHandle | None = None
        self._resized_at = 0.0
        self.dropped = False
        """Something was not written because the terminal did not keep up; the whole screen is due once it does."""
        self._parser = KeyParser(debug)

    @property
    def tells_held(self) -> bool:
        """Whether the terminal has shown that it tells held keys from presses."""
        return self._parser.tells_held

    @property
    def backlog(self) -> int:
        """Writes the terminal has not taken yet."""
        return self._writer_thread._queue.qsize() if self._writer_thread is not None else 0

    def write(self, data: str) -> None:
        """Queue data for the terminal, or drop it while the terminal does not read."""
        if self._writer_thread is None:
            return
        if self.backlog >= BACKLOG and not self._stopping:
            self.dropped = True
        else:
            self._writer_thread.write(data)

    def start_application_mode(self) -> None:
        """Take the terminal, with our own answer to its resizing."""
        self._stopping = False
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if not constants.DISABLE_KITTY_KEY:
            self.write(_EVENT_TYPES)
            self.flush()
        signal.signal(signal.SIGWINCH, self._on_winch)

    def stop_application_mode(self) -> None:
        """Give the terminal back; from here on nothing is dropped."""
        self._stopping = True
        super().stop_application_mode()

    def process_message(self, message: Message) -> None:
        """Pass a message of the terminal on to the app, sizes at most one every RESIZE_S."""
        if isinstance(message, events.Resize):  # reported in band by the terminal
            self._loop.call_soon_threadsafe(self._resized, message)
        else:
            super().process_message(message)

    def _on_winch(self, _number: int, _frame: FrameType | None) -> None:
        if not self._in_band_window_resize:
            width, height = self._get_terminal_size()
            self._loop.call_soon_threadsafe(self._resized, events.Resize.from_dimensions((width, height), None))

    def _resized(self, message: events.Resize) -> None:
        self._resize = message
        if self._resize_timer is None:
            wait = max(0.0, self._resized_at + RESIZE_S - time.monotonic())
            self._resize_timer = self._loop.call_later(wait, self._send_resize)

    def _send_resize(self) -> None:
        self._resize_timer = None
        self._resized_at = time.monotonic()
        if self._resize is not None:
            self._resize.set_sender(self._app)
            self._app.post_message(self._resize)
            self._resize = None

    def _hang_up(self) -> None:
        if self._ending.code is None:
            self._ending.request(128 + signal.SIGHUP)

    def run_input_thread(self) -> None:
        """Read keys until told to stop; the end of the input is a closed terminal and ends the app."""
        parser = self._parser = KeyParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                try:
                    ready = selector.select(0.1)
                    data = os.read(self.fileno, 4096) if ready else None
                except OSError:
                    data = b""
                if data == b"":
                    self._hang_up()
                    break
                if data:
                    self._pass_on(parser.feed(_ALT_DIGIT.sub(_as_kitty, decode(data))))
                self._pass_on(parser.tick())
        with contextlib.suppress(EOFError, ParseError):
            for _ in parser.feed(""):
                pass

    def _pass_on(self, messages: Any) -> None:
        for message in messages:
            self.process_message(message)


def _as_kitty(match: re.Match[str]) -> str:
    return f"\x1b[{ord(match[1])};3u"


def terminal_backlog(app: App[Any]) -> int:
    """Writes the app's terminal has not taken yet; 0 where the app has no terminal."""
    driver = app._driver
    return driver.backlog if isinstance(driver, TerminalDriver) else 0


def tells_held(app: App[Any]) -> bool:
    """Whether the app's terminal tells held keys from presses; False until it has shown it."""
    driver = app._driver
    return isinstance(driver, TerminalDriver) and driver.tells_held


def redraw_if_dropped(app: App[Any]) -> None:
    """Paint the whole screen once a terminal that had stopped reading has caught up."""
    driver = app._driver
    if isinstance(driver, TerminalDriver) and driver.dropped and driver.backlog == 0:
        driver.dropped = False
        app.refresh(layout=True)
