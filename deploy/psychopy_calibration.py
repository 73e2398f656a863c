"""Show things and send a marker for each: a calibration session in PsychoPy.

Run it with PsychoPy's own Python (Coder, or ``python psychopy_calibration.py``) while ``braincast
calibrate`` records; it needs psychopy and pylsl, and nothing of braincast. Beside it lies
``stimuli.tsv``, the contract between experiment and decoder: which marker means what. Columns used
here are ``marker``, ``role`` and ``text``, and ``stim_file`` for pictures; it must list the markers
``run_start``, ``pause``, ``resume`` and ``run_end`` in these roles, too.

A marker is pushed with the time of the flip that showed the stimulus, not with the time at which
the code got round to it: that is what decoding locks to. Each names its trial, as JSON:
``{"marker": "tree", "trial_id": "17"}``.

What is shown when is `schedule`, without a window: ``headless_calibration.py`` shows the same to a
simulated participant.
"""

import csv
import json
import random
import sys
from collections import namedtuple

N_BLOCKS, N_REPEATS = 4, 5
LEAD = 4.0  # seconds before the first stimulus of a block: filters settle, and so do people
ON, OFF, JITTER = 0.5, 0.3, 0.1  # seconds; jitter keeps alpha from locking to the stimuli
REST = 20.0  # seconds of a pause in which nobody presses a key

Step = namedtuple("Step", "kind row trial_id seconds")
"""What is done next: kind (run_start, show, pause, resume, run_end), the row of the table that is
shown, which trial it is, and how long it takes."""


def read_stimuli(path):
    """Return the rows of the table whose role is stimulus."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    missing = {"run_start", "pause", "resume", "run_end"} - {row["marker"] for row in rows}
    if missing:
        sys.exit(f"{path} does not list {', '.join(sorted(missing))}; see docs/how-to/calibrate.md")
    stimuli = [row for row in rows if row["role"] == "stimulus"]
    if not stimuli:
        sys.exit(f"{path} lists no stimulus; see docs/reference/folders.md")
    return stimuli


def schedule(stimuli, n_blocks=N_BLOCKS, n_repeats=N_REPEATS, rng=random):
    """Yield the steps of a session: each block shows all equally often, in random order.

    Each block is a run of its own, so that a decoder is tested on blocks that it never saw. The
    order is drawn for the whole of a block: if each thing came once before any came again, what was
    shown before would tell what comes.
    """
    trial = 0
    for block in range(n_blocks):
        if block:
            yield Step("pause", None, "", REST)
            yield Step("resume", None, "", 0.0)
        yield Step("run_start", None, "", LEAD)
        for row in rng.sample(stimuli * n_repeats, len(stimuli) * n_repeats):
            trial += 1
            seconds = ON + OFF + rng.uniform(0, 2 * JITTER)
            yield Step("show", row, str(trial), seconds)
    yield Step("run_end", None, "", 0.0)


def marker_of(step):
    """Return what is sent for a step."""
    if step.row is None:
        return step.kind
    return json.dumps({"marker": step.row["marker"], "trial_id": step.trial_id})


def main(path="stimuli.tsv"):
    """Run the session."""
    from psychopy import core, event, visual
    from pylsl import StreamInfo, StreamOutlet, local_clock

    stimuli = read_stimuli(path)
    # A source_id lets braincast and LabRecorder find the stream again after a restart.
    info = StreamInfo("psychopy markers", "Markers", 1, 0, "string", "psychopy-calibration")
    outlet = StreamOutlet(info)
    window = visual.Window(fullscr=True, color="black", units="height")
    word = visual.TextStim(window, height=0.12)
    picture = visual.ImageStim(window, size=0.5)
    # PsychoPy's clock and LSL's differ by a constant; it is measured once, between two reads.
    before = local_clock()
    psychopy_now = core.getTime()
    offset = (before + local_clock()) / 2 - psychopy_now

    def say(text):
        word.text = text
        word.draw()
        window.flip()
        return event.waitKeys(keyList=["space", "escape"]) == ["escape"]

    if say("Look at each thing and think of it.\n\nSpace starts, Escape stops."):
        return
    window.flip()
    for step in schedule(stimuli):
        if step.kind == "show":
            shown = picture if step.row.get("stim_file") else word
            if shown is picture:
                picture.image = step.row["stim_file"]
            else:
                word.text = step.row.get("text") or step.row["marker"]
            shown.draw()
            flipped = window.flip()  # returns when the frame went out
            outlet.push_sample([marker_of(step)], flipped + offset)
            core.wait(ON)
            window.flip()
            core.wait(step.seconds - ON)
            stopped = bool(event.getKeys(["escape"]))
        else:
            outlet.push_sample([marker_of(step)])
            if step.kind == "pause":
                stopped = say("A pause.\n\nSpace goes on, Escape stops.")
                window.flip()
            else:
                core.wait(step.seconds)
                stopped = False
        if stopped:
            outlet.push_sample(["run_end"])
            return


if __name__ == "__main__":
    main(*sys.argv[1:2])
