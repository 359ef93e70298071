"""Decisions about refinements: accepted in whole or in part, edited, or rejected."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from service import messages
from service.errors import Conflict, InvalidInput, LostUpdate, NotFound
from service.messages import Text
from service.schemas.ideas import IdeaPublic, IdeaUpdate
from service.schemas.refinement import Acceptance, ComparisonOfVersions, EditPublic, EditsPublic
from service.schemas.runs import RunPublic
from service.store.database import Database
from service.store.ideas import IdeaStore, check_revision, found
from service.store.own_runs import run_in
from service.store.runs import public_run
from service.store.tables import IdeaVersion, Run
from service.text.edits import Note, ProposedEdit, compose, edits_of, proposed_edits


class RefinementStore:
    def __init__(self, database: Database, ideas: IdeaStore) -> None:
        self._database = database
        self._ideas = ideas

    def edits(self, run_id: str) -> EditsPublic:
        """Returns the edits that lead from the idea's current text to the proposal.

        Raises:
            Conflict: the run is not a finished refinement.
        """
        with self._database.read() as session:
            run = _refinement(session, run_id)
            version = None
            if run.idea_id is not None:
                version = found(session, run.idea_id).version
            before = _before(session, run, version)
            return EditsPublic(
                run_id=run.id,
                idea_version=version,
                is_stale=version != run.idea_version,
                title=before.title,
                body=before.body,
                edits=[EditPublic.model_validate(one) for one in _edits(run, before, version)],
            )

    def read(self, run_id: str) -> Note:
        """Returns the title and text that the model read."""
        with self._database.read() as session:
            run = _refinement(session, run_id)
            return _before(session, run, run.idea_version)

    def composed(self, run_id: str, choice: Acceptance) -> Note:
        """Returns the text that accepting would give, without the person's own changes."""
        with self._database.read() as session:
            return _composed(session, _undecided(session, run_id), choice)

    def accept(
        self, run_id: str, choice: Acceptance | None = None, *, revision: int | None = None
    ) -> IdeaPublic:
        """Applies the chosen edits as a version by the model that refers to the run.

        The person's own changes to the text become a second version, by the person.

        Raises:
            Conflict: the run is not a finished refinement of a stored idea, or was decided before.
            LostUpdate: `revision` is given, but the idea has another one now; or it is not given,
                and the edits are numbered for another version of the idea.
            InvalidInput: an edit with this number does not exist.
        """
        choice = choice or Acceptance()
        with self._database.write() as session:
            run = _undecided(session, run_id)
            idea = found(session, run.idea_id or "")
            check_revision(idea, revision)
            numbered_for = choice.idea_version or run.idea_version
            if revision is None and choice.edits is not None and numbered_for != idea.version:
                raise LostUpdate(
                    messages.Text(
                        "The edits are numbered for version %(numbered_for)s of the idea, but the "
                        "idea is at version %(version)s now. Get new numbers from "
                        "/runs/%(id)s/edits.",
                        numbered_for=numbered_for,
                        version=idea.version,
                        id=run.id,
                    ),
                    current_version=idea.revision,
                )
            text = _composed(session, run, choice)
            shape = IdeaUpdate(title=text.title, body=text.body)
            run.decision = "accepted"
            session.add(run)
            made = self._ideas.update_in(session, idea, shape, origin="model", run_id=run.id)
            if choice.title is None and choice.body is None:
                return made
            shape = IdeaUpdate(title=choice.title, body=choice.body)
            return self._ideas.update_in(session, idea, shape, origin="human", run_id=None)

    def reject(self, run_id: str) -> RunPublic:
        with self._database.write() as session:
            run = _undecided(session, run_id)
            run.decision = "rejected"
            session.add(run)
            return public_run(session, run)

    def reopen(self, run_id: str, *, version: int | None = None) -> RunPublic:
        """Take a decision back. What accepting gave the idea is followed by its text from before.

        `version` is what the idea has since the decision, where the person's own changes came after
        the model's text. A second time does nothing.

        Raises:
            Conflict: not a finished refinement of a stored idea, or the text has changed since.
        """
        with self._database.write() as session:
            run = _proposal(session, run_id)
            if run.decision == "accepted":
                self._take_back(session, run, version)
            run.decision = "open"
            session.add(run)
            return public_run(session, run)

    def _take_back(self, session: Session, run: Run, version: int | None) -> None:
        idea = found(session, run.idea_id or "")
        made = _made(session, run)
        if not made:
            return
        # A text of the person's own may have come with the decision: only who knows of it goes on.
        if (
            idea.version != (made[-1] if version is None else version)
            or idea.version > made[-1] + 1
        ):
            raise Conflict(
                Text("The idea was changed after that. Restore one of its versions instead.")
            )
        read, before = (_before(session, run, one) for one in (run.idea_version, made[-1] - 1))
        shape = IdeaUpdate(title=before.title, body=before.body)
        restored = self._ideas.update_in(session, idea, shape, origin="human", run_id=None)
        if read == before:
            # It is compared with the text that the model read, which the idea has again.
            run.idea_version = restored.version

    def compare(
        self, idea_id: str, before: int | None = None, after: int | None = None
    ) -> ComparisonOfVersions:
        """Compares two versions; by default the newest one with the one before it.

        Raises:
            NotFound: the idea has no such version.
        """
        newest = self._ideas.get(idea_id).version
        after = after or newest
        before = before or max(1, after - 1)
        versions = {one.number: one for one in self._ideas.versions(idea_id, {before, after})}
        for number in (before, after):
            if number not in versions:
                missing = Text(
                    "The idea has no version %(number)s. Its versions are 1 to %(newest)s.",
                    number=number,
                    newest=newest,
                )
                raise NotFound(missing)
        texts = [Note(versions[each].title, versions[each].body) for each in (before, after)]
        return ComparisonOfVersions(
            idea_id=idea_id,
            before=versions[before],
            after=versions[after],
            edits=[EditPublic.model_validate(one) for one in proposed_edits(*texts)],
        )


def _refinement(session: Session, run_id: str) -> Run:
    run = run_in(session, run_id)
    if run.kind != "refine" or run.status != "done":
        raise Conflict(messages.Text("Only a finished refinement proposes a text."))
    return run


def _made(session: Session, run: Run) -> list[int]:
    """The numbers of the versions that accepting the run's text made."""
    rows = session.exec(
        select(IdeaVersion.number)
        .where(IdeaVersion.idea_id == run.idea_id, IdeaVersion.run_id == run.id)
        .order_by(col(IdeaVersion.number))
    )
    return list(rows)


def _proposal(session: Session, run_id: str) -> Run:
    run = run_in(session, run_id)
    if run.kind != "refine" or run.status != "done" or run.idea_id is None:
        raise Conflict(
            messages.Text(
                "Only a finished refinement of a stored idea can be accepted or rejected."
            )
        )
    return run


def _undecided(session: Session, run_id: str) -> Run:
    run = _proposal(session, run_id)
    if run.decision != "open":
        raise Conflict(
            Text("This refinement was already accepted.")
            if run.decision == "accepted"
            else Text("This refinement was already rejected.")
        )
    return run


def _composed(session: Session, run: Run, choice: Acceptance) -> Note:
    after = _after(run)
    if choice.edits is None:
        return after
    version = choice.idea_version or run.idea_version
    before = _before(session, run, version)
    return compose(before, after, _edits(run, before, version), choice.edits)


def _before(session: Session, run: Run, version: int | None) -> Note:
    if run.idea_id is None:
        return Note(str(run.request.get("title", "")), str(run.request.get("body", "")))
    row = session.exec(
        select(IdeaVersion).where(IdeaVersion.idea_id == run.idea_id, IdeaVersion.number == version)
    ).first()
    if row is None:
        raise InvalidInput(
            Text("The idea has no version %(version)s.", version=version), pointer="/idea_version"
        )
    return Note(row.title, row.body)


def _after(run: Run) -> Note:
    result = run.result or {}
    return Note(result["title"], result["body"])


def _edits(run: Run, before: Note, version: int | None) -> Sequence[ProposedEdit]:
    return edits_of(run.result or {}, before, is_as_read=version == run.idea_version)
