"""The contract that every format keeps, as a test class.

A format is tested by a class of its own, in the format's own test suite::

    from ephyrus.testing import FormatContract, Sample

    from my_package import my_format
    from my_tests import writer

    class TestMyFormat(FormatContract):
        module = my_format

        def samples(self):
            yield Sample("myformat", "plain", writer.plain, boundaries=writer.boundaries)
            yield Sample("myformat", "gaps", writer.gaps, large=writer.large)

pytest runs each test of the class for each sample. Numbers that a format needs otherwise are
attributes of the class.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import pytest

from ephyrus.recording import FormatModule
from ephyrus.registry import format_module
from ephyrus.testing import access, damage, descriptors, laws
from ephyrus.testing.damage import DamageLimits
from ephyrus.testing.sample import Sample
from ephyrus.testing.subject import Subject, require

__all__ = ["FormatContract"]


def skip_without_file(subject: Subject) -> None:
    """Skip a test for a format that says that it has no file, if that is true."""
    if not subject.has_file:
        require(not subject.path.exists(), "a format of mode 'fake' with a file")
        pytest.skip(f"{subject.module.FORMAT.label}: its mode is 'fake', there is no file")


class FormatContract:
    """Tests of one format, or of several; subclass it and give samples.

    A format whose declared mode is ``"fake"`` has no file: what concerns files is skipped for it,
    and the skip says so.

    Attributes
    ----------
    module : FormatModule or None
        The format (default: the registered format that each sample names).
    mutations : int
        Seeded mutations of each sample.
    truncations : int
        Seeded places at which each sample is cut, besides those around its boundaries.
    lying_counts : int
        Most places and values of `ephyrus.testing.mutate.lying_counts` for each sample.
    head_bytes : int
        How far into a file lying counts are written.
    limits : DamageLimits
        Time and memory of one damaged file.
    opening_bytes : int
        Most bytes that opening a large file reads.
    slice_bytes : int
        Most bytes that a second of one channel asks for beyond the frames of that second.
    in_memory : bool
        Damaged files are given in memory. False for formats whose library opens paths itself.
    """

    module: ClassVar[FormatModule | None] = None
    mutations: ClassVar[int] = 1000
    truncations: ClassVar[int] = 30
    lying_counts: ClassVar[int] = 1000
    head_bytes: ClassVar[int] = 2048
    limits: ClassVar[DamageLimits] = DamageLimits()
    opening_bytes: ClassVar[int] = 1_000_000
    slice_bytes: ClassVar[int] = 65_536
    in_memory: ClassVar[bool] = True

    def samples(self) -> Iterable[Sample]:
        """Give the samples: small recordings, one per version and variant of the format."""
        raise NotImplementedError(f"{type(self).__name__} must define samples()")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test for each sample, or each that has what the test needs."""
        if "sample" in metafunc.fixturenames:
            samples = list(self.samples())
            if "large_folder" in metafunc.fixturenames:
                samples = [sample for sample in samples if sample.large is not None]
            names = [f"{sample.format}-{sample.name}" for sample in samples]
            metafunc.parametrize("sample", samples, ids=names)

    @pytest.fixture
    def subject(self, sample: Sample, tmp_path: Path) -> Subject:
        """Write the sample to a folder of its own."""
        folder, scratch = tmp_path / "recording", tmp_path / "scratch"
        folder.mkdir()
        scratch.mkdir()
        module = self.module or format_module(sample.format)
        return Subject(module, sample, sample.write(folder), scratch, self.in_memory)

    @pytest.fixture
    def with_file(self, subject: Subject) -> Subject:
        """Give the subject, unless its format says that it has no file."""
        skip_without_file(subject)
        return subject

    @pytest.fixture
    def large_folder(self, tmp_path: Path) -> Path:
        """Make a folder for a large recording; tests that use it run for samples that have one."""
        folder = tmp_path / "large"
        folder.mkdir()
        return folder

    # What a sound recording says and holds

    def test_descriptors(self, subject: Subject) -> None:
        """Ids are unique, names are texts, rates, gains and types can be true."""
        require(subject.module.FORMAT.name == subject.sample.format, "a sample of another format")
        with subject.open() as rec:
            descriptors.check_descriptors(rec)
            descriptors.check_runs(rec)
            descriptors.check_extents(rec)
            descriptors.check_annotations(rec)

    def test_slices(self, subject: Subject) -> None:
        """read(a, b) + read(b, c) = read(a, c), of the declared shapes and types."""
        with subject.open() as rec:
            laws.check_slices(rec, subject.title)

    def test_channel_selection(self, subject: Subject) -> None:
        """Chosen channels are columns of the full read."""
        with subject.open() as rec:
            laws.check_channel_selection(rec, subject.title)

    def test_columns(self, subject: Subject) -> None:
        """Columns are the same alone and together."""
        with subject.open() as rec:
            laws.check_columns(rec)
            laws.check_rows(rec, subject.title)
            laws.check_sample_places(rec, subject.title)

    def test_ticks(self, subject: Subject) -> None:
        """Times never decrease within a run; unit counts agree with the unit column."""
        with subject.open() as rec:
            laws.check_ticks(rec)
            laws.check_unit_counts(rec)

    def test_scaling(self, subject: Subject) -> None:
        """Scaled values are stored values times gain plus offset, in one piece or in many."""
        with subject.open() as rec:
            laws.check_scaling(rec)

    def test_lazy(self, subject: Subject) -> None:
        """Lazy objects load what full ones hold."""
        laws.check_lazy(subject)

    # How it is opened

    def test_sniff(self, subject: Subject) -> None:
        """The format knows its own files, and no bytes make `sniff` raise."""
        access.check_sniff(subject)

    def test_access_modes(self, with_file: Subject) -> None:
        """Mapped, read and in-memory files give the same."""
        access.check_access_modes(with_file)

    def test_pickling(self, subject: Subject) -> None:
        """A pickled recording reopens and gives the same."""
        access.check_pickling(subject)

    def test_threads(self, subject: Subject) -> None:
        """Two threads read the same values."""
        access.check_threads(subject)

    def test_closing(self, subject: Subject) -> None:
        """Closing frees all descriptors, after errors too."""
        access.check_closing(subject)

    def test_failing_disk(self, with_file: Subject) -> None:
        """A failing read surfaces as the error it is."""
        access.check_failing_disk(with_file)

    def test_large(self, subject: Subject, large_folder: Path) -> None:
        """Opening a large file, and reading a second of one channel, read only what they need."""
        access.check_large(
            subject, large_folder, opening_bytes=self.opening_bytes, slice_bytes=self.slice_bytes
        )

    # What damaged files do

    def test_mutations(self, with_file: Subject) -> None:
        """Seeded damage raises only FormatError or OSError, within time and memory."""
        damage.check_mutations(with_file, self.mutations, self.limits)

    def test_lying_counts(self, with_file: Subject) -> None:
        """So do counts that no honest file has."""
        damage.check_lying_counts(with_file, self.lying_counts, self.head_bytes, self.limits)

    def test_truncation(self, with_file: Subject) -> None:
        """A cut file raises, or is read in part and says so."""
        damage.check_truncation(with_file, self.truncations, self.limits)

    def test_salvage(self, with_file: Subject) -> None:
        """What is salvaged of a cut file is a part of the sound one; sound files stay the same."""
        access.check_salvage_of_sound(with_file)
        damage.check_salvage(with_file, self.truncations, self.limits)

    def test_escapes(self, with_file: Subject) -> None:
        """File names in headers lead to nothing outside the recording's folder."""
        damage.check_refused_names(with_file)
        damage.check_escapes(with_file)
