"""Show things and send a marker for each: a calibration session in PsychoPy.

Run it with PsychoPy's own Python (Coder, or ``python psychopy_calibration.py``); it needs psychopy
and pylsl, and nothing of braincast. Beside it lies ``stimuli.tsv``, the contract between experiment
and decoder: which marker means what. Columns used here are ``marker``, ``role`` and ``text``, and
``stim_file`` for pictures.

A marker is pushed with the time of the flip that showed the stimulus, not with the time at which
the code got round to it: that is what decoding locks to.
"""

import csv
import random
import sys

from psychopy import core, event, visual
from pylsl import StreamInfo, StreamOutlet, local_clock

N_REPEATS = 5
ON, OFF, JITTER = 0.5, 0.3, 0.1  # seconds; jitter keeps alpha from locking to the stimuli


def read_stimuli(path):
    """Return the rows of the table whose role is stimulus."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["role"] == "stimulus"]
    if not rows:
        sys.exit(f"{path} lists no stimulus; see docs/reference/folders.md")
    return rows


def main(path="stimuli.tsv"):
    """Run the session: each stimulus N_REPEATS times, in an order drawn anew for each repeat."""
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

    word.text = "Look at each thing and think of it.\n\nSpace starts, Escape stops."
    word.draw()
    window.flip()
    if event.waitKeys(keyList=["space", "escape"]) == ["escape"]:
        return
    outlet.push_sample(["run_start"])
    for _ in range(N_REPEATS):
        for row in random.sample(stimuli, len(stimuli)):
            shown = picture if row.get("stim_file") else word
            if shown is picture:
                picture.image = row["stim_file"]
            else:
                word.text = row.get("text") or row["marker"]
            shown.draw()
            flipped = window.flip()  # returns when the frame went out
            outlet.push_sample([row["marker"]], flipped + offset)
            core.wait(ON)
            window.flip()
            core.wait(OFF + random.uniform(0, 2 * JITTER))
            if event.getKeys(["escape"]):
                outlet.push_sample(["run_end"])
                return
    outlet.push_sample(["run_end"])


if __name__ == "__main__":
    main(*sys.argv[1:2])
