import subprocess
import sys


def test_it_is_a_program_that_says_what_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "activator", "--kubeconfig", "/nowhere"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "/nowhere" in done.stderr
    assert "Traceback" not in done.stderr
