"""The demo tool from end to end, with a model that segments by colour."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading

import av
import color_model
import numpy as np
import pytest

from vps import visualization
from vps.io.results import read_results
from vps.io.streams import open_stream
from vps.io.video import VideoWriter
from vps.structures import Frame


@pytest.fixture
def demo(load_script, color_files, tmp_path, capsys):
    """Runs the tool; gives its exit status, what it printed, and the path of its video."""
    module = load_script("tools/demo.py")
    config, weights = color_files
    output = tmp_path / "output" / "out.mp4"

    def run(source, *options, **changes):
        arguments = [source, "-o", changes.get("output", output), "--config-file", config]
        arguments += [*options, "MODEL.WEIGHTS", changes.get("weights", weights)]
        status = module.main([str(argument) for argument in arguments])
        return status, capsys.readouterr(), output

    return run


def frames_of(path):
    return [frame.image for frame in open_stream(path)]


def written(folder):
    """All files below a folder, temporary ones too."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_folder(demo, color_folder):
    status, printed, output = demo(color_folder, "--no-labels", "--fps", "12")
    assert status == 0
    assert "12 frames of walk" in printed.out and "peak memory:" in printed.out
    assert "12/12" in printed.err  # the progress bar knows the length
    with av.open(str(output)) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, float(video.average_rate)) == ("h264", 12)
    pictures = frames_of(output)
    assert len(pictures) == 12
    # Ground: the picture and the colour of its class, 5 to 3.
    ground = np.array([90, 120, 110]) * 0.625 + np.array(color_model.CATEGORIES[1].color) * 0.375
    for picture in pictures:
        assert np.abs(picture[2:6, 2:60].reshape(-1, 3).mean(axis=0) - ground).max() < 8
    assert np.abs(pictures[0][22:26, 4:12] - ground).mean() > 30


def test_video_with_everything(demo, color_video, tmp_path):
    results = tmp_path / "results"
    status, printed, output = demo(color_video, "--side-by-side", "--save-json", str(results))
    assert status == 0 and "40 frames of drive" in printed.out
    with av.open(str(output)) as container:
        assert float(container.streams.video[0].average_rate) == 20  # the input's
    pictures, originals = frames_of(output), frames_of(color_video)
    assert len(pictures) == 40 and pictures[0].shape == (48, 128, 3)
    for picture, original in zip(pictures, originals):
        assert np.abs(picture[:, :64].astype(int) - original).mean() < 6
    video = read_results(results).videos["drive"]
    assert len(video) == 40
    for index, frame in enumerate(video):
        assert frame.frame_id == f"{index:06d}"
        red = color_model.draw_frame(index)[..., 0] == 230
        assert (np.isin(frame.ids, color_model.TRACK_IDS) == red).mean() > 0.95
    categories = json.loads((results / "panoptic.json").read_text())["categories"]
    assert [category["id"] for category in categories] == [7, 3]


def test_results_in_the_form_of_a_submission(demo, color_video, tmp_path):
    options = ("--save-results", str(tmp_path / "results"), "--form", "vipseg")
    assert demo(color_video, *options, "--max-frames", "3")[0] == 0
    (video,) = json.loads((tmp_path / "results/pred.json").read_text())["annotations"]
    assert len(video["annotations"]) == len(list((tmp_path / "results/pan_pred/drive").iterdir()))
    assert all("bbox" in info for info in video["annotations"][0]["segments_info"])
    status, printed, _ = demo(color_video, *options[:3], "coco")
    assert status == 2 and "in a form of panoptic, vipseg" in printed.err


def test_max_frames(demo, color_video):
    status, printed, output = demo(color_video, "--max-frames", "7")
    assert status == 0 and "7/7" in printed.err and "truncated" not in printed.out
    assert len(frames_of(output)) == 7


def test_odd_sizes(demo, tmp_path):
    path = tmp_path / "input" / "odd.mkv"
    with VideoWriter(path, fps=5) as writer:
        for index in range(3):
            writer.write(color_model.draw_frame(index, 51, 66))
    assert demo(path, "--side-by-side")[0] == 0


def test_options_may_stand_anywhere(demo, color_folder, tmp_path):
    assert demo(color_folder, "MODEL.DEVICE", "cpu", "--no-labels", "--max-frames", "2")[0] == 0


def test_video_that_is_cut_in_half_gives_what_can_be_read(demo, color_video, tmp_path):
    content = color_video.read_bytes()
    color_video.write_bytes(content[: len(content) * 2 // 3])
    status, printed, output = demo(color_video, "--save-json", str(tmp_path / "results"))
    assert status == 0
    count = len(frames_of(output))
    assert 3 < count < 40
    assert f"only {count} of the 40 announced frames" in printed.out
    assert len(read_results(tmp_path / "results").videos["drive"]) == count


def cut_before_its_index(video, folder):
    plain = video.with_name("plain.mp4")
    with av.open(str(video)) as source, av.open(str(plain), "w") as target:  # no faststart
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    content = plain.read_bytes()
    plain.write_bytes(content[: len(content) // 2])
    return plain


def empty_file(video, folder):
    video.write_bytes(b"")
    return video


def video_without_frames(video, folder):
    with av.open(str(video), "w") as container:
        stream = container.add_stream("h264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()  # writes head and tail, and nothing between
    return video


def broken_frame(video, folder):
    (folder / "005.png").write_bytes((folder / "005.png").read_bytes()[:60])
    return folder


def empty_folder(video, folder):
    for path in folder.iterdir():
        path.unlink()
    return folder


# how the input is spoilt, further options, what the error says
BAD_INPUTS = [
    (cut_before_its_index, [], "plain.mp4"),
    (empty_file, [], "drive.mp4, got an empty file"),
    (video_without_frames, [], "expected a video stream in"),
    (broken_frame, [], "005.png"),
    (empty_folder, [], "walk"),
    (lambda video, folder: folder / "none", [], "does not exist"),
    (lambda video, folder: 97, [], "camera with number 97"),
    (lambda video, folder: video, ["--max-frames", "0"], "--max-frames"),
    (lambda video, folder: video, ["--fps", "0"], "frames per second"),
    (lambda video, folder: video, ["NO.SUCH_KEY", "1"], "NO.SUCH_KEY"),
]


@pytest.mark.parametrize("spoil, options, message", BAD_INPUTS, ids=[row[2] for row in BAD_INPUTS])
def test_bad_input_is_one_line_and_leaves_nothing(
    demo, color_video, color_folder, tmp_path, spoil, options, message
):
    source = spoil(color_video, color_folder)
    before = written(tmp_path)
    status, printed, _ = demo(source, "--save-json", str(tmp_path / "results"), *options)
    assert status == 2
    errors = [line for line in printed.err.splitlines() if "error:" in line]
    assert len(errors) == 1 and message in errors[0]
    assert "Traceback" not in printed.err
    assert written(tmp_path) == before and not (tmp_path / "results").exists()


def test_weights_that_do_not_fit(demo, color_folder, tmp_path):
    (tmp_path / "empty.pth").write_bytes(b"")
    status, printed, output = demo(color_folder, weights=tmp_path / "empty.pth")
    assert status == 2 and "error: " in printed.err and "empty.pth" in printed.err
    assert not output.exists()


def test_the_input_is_never_overwritten(demo, color_video):
    before = color_video.read_bytes()
    status, printed, _ = demo(color_video, output=color_video)
    assert status == 2 and "other than the input" in printed.err
    assert color_video.read_bytes() == before


def test_a_failure_late_in_the_video_keeps_the_older_output(demo, color_folder, color_video):
    assert demo(color_video)[0] == 0
    status, _, output = demo(broken_frame(None, color_folder))
    assert status == 2 and len(frames_of(output)) == 40
    assert written(output.parent) == ["out.mp4"]


@pytest.fixture
def ctrl_c_works():
    """Shells start background jobs with SIGINT ignored, and Python keeps it so."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


def interrupt_at(monkeypatch, count):
    """Press Ctrl-C while frame ``count`` is drawn."""
    draw, seen = visualization.draw_panoptic, []

    def draw_and_interrupt(*arguments, **options):
        seen.append(0)
        if len(seen) == count:
            signal.raise_signal(signal.SIGINT)
        return draw(*arguments, **options)

    monkeypatch.setattr(visualization, "draw_panoptic", draw_and_interrupt)


def test_ctrl_c_on_a_file_leaves_nothing(ctrl_c_works, demo, color_video, tmp_path, monkeypatch):
    before = written(tmp_path)
    interrupt_at(monkeypatch, 5)
    status, printed, _ = demo(color_video, "--save-json", str(tmp_path / "results"))
    assert status == 130 and "nothing was written" in printed.err
    assert written(tmp_path) == before
    assert not [t for t in threading.enumerate() if t.name == "vps-prefetch"]


class EndlessCamera:
    """What CameraSource is, for machines without one."""

    length, truncated, fps, height, width = None, False, 30.0, 48, 64

    def __init__(self, index):
        self.name = f"camera{index}"

    def read(self):
        for index in itertools.count():
            yield Frame(f"{index:06d}", color_model.draw_frame(index))


def test_ctrl_c_on_a_camera_keeps_what_was_filmed(ctrl_c_works, demo, tmp_path, monkeypatch):
    monkeypatch.setattr("vps.io.decode.CameraSource", EndlessCamera)
    interrupt_at(monkeypatch, 5)
    usual = signal.getsignal(signal.SIGINT)
    status, printed, output = demo("0", "--save-json", str(tmp_path / "results"))
    assert status == 0 and "5 frames of camera0" in printed.out
    assert len(frames_of(output)) == len(read_results(tmp_path / "results").videos["camera0"]) == 5
    assert signal.getsignal(signal.SIGINT) is usual


_MEASURE = """
import resource, runpy, sys
sys.path.insert(0, sys.argv.pop(1))
import torch
torch.set_num_threads(1)
import color_model
color_model.register()
demo = runpy.run_path(sys.argv.pop(1))
status = demo["main"](sys.argv[1:])
print("status", status, "peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def start_tool(repository, color_files, video, json_folder) -> subprocess.Popen:
    """Run the tool in a process of its own, which prints its peak resident memory in KiB."""
    config, weights = color_files
    here = os.path.dirname(__file__)
    tool = repository / "tools" / "demo.py"
    command = [sys.executable, "-c", _MEASURE, here, tool, video, "-o", f"{video}.out.mp4"]
    command += ["--config-file", config, "--save-json", json_folder, "MODEL.WEIGHTS", weights]
    return subprocess.Popen(
        [str(argument) for argument in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"},
    )


def test_memory_does_not_depend_on_the_length(repository, color_files, tmp_path):
    """Overlay, labels, PNGs and JSON of 2,000 frames need as much memory as those of 200."""
    height, width = 64, 96
    running = {}
    for count in (200, 2000):
        video = tmp_path / f"{count}.mp4"
        with VideoWriter(video, fps=25) as writer:
            for index in range(count):
                writer.write(color_model.draw_frame(index, height, width))
        running[count] = start_tool(repository, color_files, video, tmp_path / f"json{count}")
    peaks = {}
    for count, process in running.items():
        output, errors = process.communicate()
        *_, status, _, peak = output.split() or ["none"] * 3
        assert status == "0", errors
        peaks[count] = int(peak)
    assert peaks[2000] <= 1.05 * peaks[200], peaks
    # Most of the peak is torch itself. A quarter of the frames that were added would show as well.
    added = 1800 * height * width * 3 / 1024
    assert peaks[2000] - peaks[200] < added / 4, peaks
