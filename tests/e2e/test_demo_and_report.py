"""The last steps of `make demo`, and the demo tool with the real model on a video file."""

from __future__ import annotations

import shutil

import av
import numpy as np
from PIL import Image

from vps.io.results import read_results
from vps.io.video import VideoWriter

CONFIG = "configs/shapes_vps/vpsnet_track_R_18.yaml"


def frames_of(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]


def test_report_draws_the_validation_videos(run_tool, weights, tmp_path):
    shutil.copy(weights.parent / "metrics.json", tmp_path)
    output = run_tool(
        *("tools/report.py", "--config-file", CONFIG, "-o", tmp_path, "--videos", "2"),
        *("--rows", "2", "MODEL.WEIGHTS", weights),
    )
    assert "sheet.png" in output and "video.mp4" in output
    video = frames_of(tmp_path / "video.mp4")
    assert len(video) == 2 * 3  # all frames of two videos
    assert video[0].shape[1] == 3 * 480  # image | ground truth | prediction
    assert Image.open(tmp_path / "sheet.png").width > 3 * 480
    assert (tmp_path / "training_curve.png").stat().st_size > 0
    run_tool(
        *("tools/report.py", "--config-file", CONFIG, "-o", tmp_path, "--videos", "0"),
        *("MODEL.WEIGHTS", weights),
        status=2,
    )


def test_demo_on_a_video_file(run_tool, weights, shapes_root, tmp_path):
    folder = shapes_root / "shapes_vps" / "val" / "images" / "0001"
    pictures = [np.array(Image.open(path)) for path in sorted(folder.iterdir())]
    with VideoWriter(tmp_path / "in.mp4", fps=5) as writer:
        for picture in pictures:
            writer.write(picture)
    output = run_tool(
        *("tools/demo.py", tmp_path / "in.mp4", "-o", tmp_path / "out.mp4"),
        *("--config-file", CONFIG, "--save-json", tmp_path / "json", "MODEL.WEIGHTS", weights),
    )
    assert "3 frames" in output and "peak memory" in output
    assert [frame.shape for frame in frames_of(tmp_path / "out.mp4")] == [(64, 96, 3)] * 3
    (video,) = read_results(tmp_path / "json").videos.values()
    assert [frame.ids.shape for frame in video] == [(64, 96)] * 3
