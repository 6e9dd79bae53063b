"""The contract suite itself: toy formats that open badly, or survive damage badly, fail."""

from __future__ import annotations

import errno
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ephyrus.errors import CorruptError, TruncatedError
from ephyrus.testing import DamageLimits, access, damage
from ephyrus.testing.guards import TooMuchMemory
from tests.testing import toyformat as toy

LIMITS = DamageLimits()


# Opening


def test_sniff_that_raises(broken):
    subject = broken(sniff=lambda files, head: float(head[30] >= 0))
    with pytest.raises(IndexError):
        access.check_sniff(subject)


@pytest.mark.parametrize("answer", [2.0, -1.0, None, "yes"])
def test_sniff_that_is_no_confidence(broken, answer):
    subject = broken(sniff=lambda files, head: 1.0 if head.startswith(toy.MAGIC) else answer)
    with pytest.raises(AssertionError, match="sniff gives"):
        access.check_sniff(subject)


def test_sniff_that_does_not_know_its_own(broken):
    with pytest.raises(AssertionError, match=r"sniff gives 0\.0 for its own file"):
        access.check_sniff(broken(sniff=lambda files, head: 0.0))


def counted_openings():
    """A `read_signal` that gives other values in each recording that is opened."""
    opened = []

    def index(opening, header):
        opened.append(1)
        return toy.index(opening, header)

    def read_signal(reading, stream, start, stop, channels):
        return toy.read_signal(reading, stream, start, stop, channels) + np.int16(len(opened))

    return {"index": index, "read_signal": read_signal}


def test_pickles_that_give_something_else(broken):
    with pytest.raises(AssertionError, match="the unpickled recording reads other values"):
        access.check_pickling(broken(**counted_openings()))


def test_access_modes_that_differ(broken):
    with pytest.raises(AssertionError, match="access 'pread' reads other values than mmap"):
        access.check_access_modes(broken(**counted_openings()))


def test_salvage_that_changes_sound_files(broken):
    def parse_header(opening):
        header = toy.parse_header(opening)
        if opening.salvage:
            opening.note("salvaged")
        return header

    with pytest.raises(AssertionError, match=r"salvage=True notes \['salvaged'\]"):
        access.check_salvage_of_sound(broken(parse_header=parse_header))


def test_a_read_position_shared_by_threads(broken):
    position = {}

    main, has_waited = threading.current_thread(), threading.Event()

    def wait_for_the_other():
        """Let one of the threads wait until the other has gone on to another table."""
        own = position["columns"]
        if threading.current_thread() is main or has_waited.is_set():
            return
        has_waited.set()
        end = time.monotonic() + 60
        while position["columns"] == own and time.monotonic() < end:
            time.sleep(0.001)

    def read_table(reading, stream, start, stop, columns):
        position["columns"] = stream.kind
        wait_for_the_other()
        found = toy.read_table(reading, stream, start, stop, columns)
        if position["columns"] != stream.kind:
            found["tick"] = found["tick"] + 1
        return found

    subject = broken(read_table=read_table)
    with pytest.raises(AssertionError, match="two threads read other values than one"):
        access.check_threads(subject)


def test_descriptors_that_are_leaked_by_closing(broken):
    leaked = []

    def index(opening, header):
        leaked.append(os.open(opening.files.path, os.O_RDONLY))
        return toy.index(opening, header)

    subject = broken(index=index)
    with pytest.raises(AssertionError, match="mmap: 1 descriptors are open after close"):
        access.check_closing(subject)
    for descriptor in leaked:
        os.close(descriptor)


def test_descriptors_that_are_leaked_by_errors(broken):
    leaked = []

    def parse_header(opening):
        descriptor = os.open(opening.files.path, os.O_RDONLY)
        try:
            header = toy.parse_header(opening)
        except TruncatedError:
            leaked.append(descriptor)
            raise
        os.close(descriptor)
        return header

    subject = broken(parse_header=parse_header)
    with pytest.raises(AssertionError, match="are open after openings that failed"):
        access.check_closing(subject)
    for descriptor in set(leaked):
        os.close(descriptor)


def test_a_failing_disk_that_is_swallowed(broken):
    def parse_header(opening):
        try:
            opening.files.source("events.txt").read_at(0, 5)
        except OSError:
            opening.note("no events")
        return toy.parse_header(opening)

    with pytest.raises(AssertionError, match=r"request \d of \d+ failed .*and that was swallowed"):
        access.check_failing_disk(broken(parse_header=parse_header))


@pytest.mark.parametrize("chained", [False, True])
def test_a_failing_disk_that_is_taken_for_damage(broken, chained):
    def index(opening, header):
        try:
            return toy.index(opening, header)
        except OSError as error:
            damaged = CorruptError(opening.files.path, "no spikes")
            raise damaged from (error if chained else None)

    subject = broken(index=index)
    if chained:
        access.check_failing_disk(subject)
        return
    with pytest.raises(AssertionError, match="another error surfaced: CorruptError"):
        access.check_failing_disk(subject)


def test_a_failing_disk_that_is_no_os_error(broken):
    def index(opening, header):
        try:
            return toy.index(opening, header)
        except OSError as error:
            raise RuntimeError("no spikes") from error

    with pytest.raises(AssertionError, match=r"surfaced as RuntimeError.*, no OSError"):
        access.check_failing_disk(broken(index=index))


def large(subject, tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    access.check_large(subject, folder, opening_bytes=1_000_000, slice_bytes=65_536)


def test_a_header_that_reads_the_data(broken, tmp_path):
    def parse_header(opening):
        opening.files.main.array(0, "u1", min(opening.files.main.size, 2_000_000)).max()
        return toy.parse_header(opening)

    with pytest.raises(AssertionError, match="parse_header reads 2,000,"):
        large(broken(parse_header=parse_header), tmp_path)


def test_an_index_that_reads_the_data(broken, tmp_path):
    def index(opening, header):
        opening.files.main.array(0, "u1", min(opening.files.main.size, 2_000_000)).max()
        return toy.index(opening, header)

    with pytest.raises(AssertionError, match="opening reads 2,000,"):
        large(broken(index=index), tmp_path)


def test_an_index_that_needs_memory(broken, tmp_path):
    def index(opening, header):
        np.zeros(opening.files.main.size, "u1")
        return toy.index(opening, header)

    with pytest.raises(TooMuchMemory, match="opening a large file"):
        large(broken(index=index), tmp_path)


def test_a_slice_that_reads_everything(broken, tmp_path):
    def read_signal(reading, stream, start, stop, channels):
        return toy.read_signal(reading, stream, 0, stream.length, channels)[start:stop]

    with pytest.raises(AssertionError, match="one channel of samples 299500 to 300500 asks for"):
        large(broken(read_signal=read_signal), tmp_path)


def test_a_large_sample_that_is_small(broken, tmp_path):
    subject = broken()
    subject = replace(subject, sample=replace(subject.sample, large=toy.write))
    with pytest.raises(AssertionError, match=r"large sample has \d+,?\d* bytes, not 100,000,000"):
        large(subject, tmp_path)


# Damage


def test_mutations_that_raise_index_errors(broken):
    def parse_header(opening):
        header = toy.parse_header(opening)
        events = [label for tick, label in header.events if tick == 5]
        return replace(header, samples=header.samples + 0 * len(events[0]))

    subject = broken(parse_header=parse_header)
    with pytest.raises(AssertionError) as caught:
        damage.check_mutations(subject, 400, LIMITS)
    message = str(caught.value)
    assert "damaged files raise something else than FormatError or OSError" in message
    assert "IndexError: list index out of range" in message
    assert "mutation('events.txt', seed 'toy/three', number " in message
    assert Path(__file__).name in message


def test_counts_that_are_believed(broken):
    def parse_header(opening):
        head = opening.files.main.array(0, toy.HEAD, 1)[0]
        np.zeros(int(head["samples"]) * int(head["channels"]))
        return toy.parse_header(opening)

    subject = broken(parse_header=parse_header)
    with pytest.raises(AssertionError, match="TooMuchMemory"):
        damage.check_lying_counts(subject, 500, 64, LIMITS)


def test_counts_that_hang(broken):
    begun, ended = [], []

    def parse_header(opening):
        head = opening.files.main.array(0, toy.HEAD, 1)[0]
        left = int(head["spikes"])
        begun.append(left)
        while left != 40:
            left -= head["channels"] == 3
        ended.append(left)
        return toy.parse_header(opening)

    subject = broken(parse_header=parse_header)
    with pytest.raises(AssertionError, match=r"TooSlow: .*written at byte \d+: not done after 0.2"):
        damage.check_lying_counts(subject, 500, 64, DamageLimits(seconds=0.2))
    assert len(begun) - len(ended) == 1  # no more of them


def test_damage_that_is_slow_in_all(broken):
    with pytest.raises(AssertionError, match=r"20 damaged files took .* is the sample too large"):
        damage.check_mutations(broken(), 20, DamageLimits(cpu_seconds=0.0))


def test_warnings_are_failures(broken):
    def parse_header(opening):
        head = opening.files.main.array(0, toy.HEAD, 1)[0]
        head["channels"] * np.uint16(300)
        return toy.parse_header(opening)

    with pytest.raises(AssertionError, match="RuntimeWarning: overflow"):
        damage.check_lying_counts(broken(parse_header=parse_header), 500, 64, LIMITS)


def fitting(note):
    """A `parse_header` that believes the size of the file more than its counts."""

    def parse_header(opening):
        salvaging = replace(opening, salvage=True, problems=[])
        header = toy.parse_header(salvaging)
        if note:
            opening.problems.extend(salvaging.problems)
        return header

    return parse_header


def test_a_cut_that_is_not_noticed(broken):
    with pytest.raises(AssertionError, match="items are lost and no problem is noted"):
        damage.check_truncation(broken(parse_header=fitting(note=False)), 30, LIMITS)


def test_a_cut_that_is_noticed(broken):
    damage.check_truncation(broken(parse_header=fitting(note=True)), 30, LIMITS)


def test_a_cut_that_need_not_be_noticed(broken):
    subject = broken(parse_header=fitting(note=False))
    subject = replace(subject, sample=replace(subject.sample, states_length=False))
    damage.check_truncation(subject, 30, LIMITS)


def padded_signal(reading, stream, start, stop, channels):
    try:
        return toy.read_signal(reading, stream, start, stop, channels)
    except TruncatedError:
        width = len(stream.channels) if channels is None else len(channels)
        return np.zeros((stop - start, width), stream.dtype)


def test_a_cut_that_is_filled_with_zeros(broken):
    def parse_header(opening):
        return replace(fitting(note=False)(opening), samples=200, spikes=0)

    subject = broken(
        parse_header=parse_header,
        index=lambda opening, header: np.zeros(0, toy.SPIKE),
        read_signal=padded_signal,
    )
    with pytest.raises(AssertionError, match="the first 200 items are not those of the run"):
        damage.check_truncation(subject, 30, LIMITS)


def test_a_cut_that_makes_longer(broken):
    def parse_header(opening):
        header = fitting(note=True)(opening)
        return header if header.samples == 200 else replace(header, samples=201)

    subject = broken(
        parse_header=parse_header,
        index=lambda opening, header: np.zeros(0, toy.SPIKE),
        read_signal=padded_signal,
    )
    with pytest.raises(AssertionError, match=r"longer than the sound recording.*201"):
        damage.check_truncation(subject, 30, LIMITS)


def test_salvage_that_gives_other_items(broken):
    def read_signal(reading, stream, start, stop, channels):
        values = toy.read_signal(reading, stream, start, stop, channels)
        return values if stream.length == 200 else values[::-1]

    with pytest.raises(AssertionError, match="items are not those of the run"):
        damage.check_salvage(broken(read_signal=read_signal), 30, LIMITS)


def test_salvage_that_gives_other_rows(broken):
    def index(opening, header):
        spikes = toy.index(opening, header).copy()
        if header.spikes != 40:
            spikes["unit"] += 1
        return spikes

    with pytest.raises(AssertionError, match=r"table 'spikes': .* are not in the sound recording"):
        damage.check_salvage(broken(index=index), 30, LIMITS)


def test_salvage_that_raises_something_else(broken):
    def parse_header(opening):
        try:
            return toy.parse_header(opening)
        except TruncatedError as error:
            raise OSError(errno.EIO, "cut") from error

    subject = broken(parse_header=parse_header)
    with pytest.raises(AssertionError, match="salvage=True raised OSError"):
        damage.check_salvage(subject, 30, LIMITS)


def test_a_reader_that_leaves_the_folder(broken):
    def parse_header(opening):
        main = opening.files.main
        head = main.array(0, toy.HEAD, 1)[0]
        name = bytes(head["companion"]).rstrip(b"\0").decode("latin-1")
        text = (Path(main.name).parent / name).read_text()
        assert text.startswith("5")
        return toy.parse_header(opening)

    subject = broken(parse_header=parse_header)
    with pytest.raises(AssertionError, match="was opened, outside of the recording's folder"):
        damage.check_escapes(subject)


def test_a_file_set_that_leaves_the_folder(broken, monkeypatch):
    subject = broken()
    monkeypatch.setattr(
        "ephyrus.recording.files.FileSet._below", lambda files, name, field=None: name
    )
    with pytest.raises(AssertionError, match=r"source\('../canary.bin'\) is not refused"):
        damage.check_refused_names(subject)
