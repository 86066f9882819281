"""`farmd top` in a shell on a terminal of its own, which tmux plays: keys in, the screen out."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from clilib import environment
from farmd_process import FARMD, alive
from farmlib import wait_for


class Screen:
    """A shell on a screen of so many columns and lines. Its prompt is `$ `."""

    def __init__(self, farm, columns=80, lines=24, env=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="farmd-top-"))
        self.tmux_command = ["tmux", "-u", "-f", "/dev/null", "-S", str(self.directory / "socket")]
        self.env = {**environment(farm), "PS1": "$ ", "ENV": "", "HISTFILE": "", "TERM": "xterm-256color",
                    "PATH": os.environ["PATH"]}
        variables = [f"{key}={value}" for key, value in (env or {}).items()]
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(lines), "-c", str(self.directory),
                  "env", *variables, "sh")
        self.shell = int(self.ask("#{pane_pid}"))
        self.wait("$")

    def tmux(self, *arguments):
        done = subprocess.run([*self.tmux_command, *arguments], env=self.env, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done
        return done.stdout

    def ask(self, form):
        return self.tmux("display-message", "-p", form).strip()

    # --- in and out ---

    def keys(self, *keys):
        self.tmux("send-keys", *keys)
        return self

    def type(self, text):
        self.tmux("send-keys", "-l", text)
        return self

    def text(self, *flags):
        return self.tmux("capture-pane", "-p", *flags)

    def lines(self):
        return [line.rstrip() for line in self.text().splitlines()]

    def wait(self, *wanted, without=()):
        """Until all of these texts are on the screen and none of those."""
        def reached():
            text = self.text()
            return all(w in text for w in wanted) and not any(w in text for w in without)

        try:
            wait_for(reached, what=f"{wanted} on the screen, {without} not")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text()}") from None
        return self

    def resize(self, columns, lines):
        self.tmux("resize-window", "-x", str(columns), "-y", str(lines))

    # --- farmd top ---

    def top(self, *arguments, wait="live"):
        """Starts it behind a note of the terminal's settings; told() compares them."""
        self.type(f"clear; stty -g >before; {FARMD} top {' '.join(arguments)}; echo code=$?; stty -g >after")
        self.keys("Enter")
        if wait:
            self.wait(wait, "quit")
        return self

    def pid(self):
        """Of farmd top."""
        def child():
            return pathlib.Path(f"/proc/{self.shell}/task/{self.shell}/children").read_text().split()

        return int(wait_for(child, what="a program in the shell")[0])

    def told(self, code):
        """Waits for its end: the exit code is this and the terminal is as it was before."""
        self.wait(f"code={code}")
        wait_for(lambda: (self.directory / "after").exists(), what="the shell's second look at its terminal")
        wait_for(lambda: (self.directory / "after").read_text() == (self.directory / "before").read_text(),
                 what="the terminal's settings as before")
        assert self.ask("#{alternate_on} #{cursor_flag} #{keypad_flag}") == "0 1 0"
        assert "live" not in self.text()
        (self.directory / "after").unlink()

    def rows(self):
        """The servers on the screen: lists of words, the first of them the id."""
        lines = self.lines()
        heading = next((i for i, line in enumerate(lines) if "STATE" in line and "CPU" in line), len(lines))
        words = [line.replace("*", " ").split() for line in lines[heading + 1:]]
        return [row for row in words if len(row) > 2 and row[0].isdigit()]

    def close(self):
        pid = self.shell
        subprocess.run([*self.tmux_command, "kill-server"], env=self.env, capture_output=True, timeout=30, check=False)
        wait_for(lambda: not alive(pid), what="the shell's end")
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
