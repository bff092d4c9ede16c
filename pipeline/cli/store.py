"""The store: is it what its manifests say, and what in it does nothing need."""

import click

from pipeline.cli.options import store_option


@click.command()
@click.argument("refs", nargs=-1, metavar="[REF]...")
@click.option("--all", "all_", is_flag=True, help="Every artifact of the store.")
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def verify(refs: tuple[str, ...], all_: bool, store: str, as_json: bool) -> None:
    """Recompute the checksums of artifacts' files.

    \b
    Example:
      prep verify clean/wiki@8c2f
      prep verify --all
    """
    from pipeline.artifacts import Store
    from pipeline.errors import BrokenArtifact
    from pipeline.progress import say_json

    if all_ == bool(refs):
        raise click.UsageError("Name artifacts, or give --all.")
    known = Store(store)
    found = {artifact.ref: artifact for artifact in (known.list() if all_ else map(known.find, refs))}
    broken = []
    facts = []
    for artifact in found.values():
        problems = known.verify(artifact)
        facts.append({"ref": artifact.ref, "files": len(artifact.manifest.files), "problems": problems})
        if problems:
            where = artifact.place if known.mirror else "the folder"
            broken.append("\n".join([f"{artifact.ref}: broken. Remove {where} and run its stage again.", *problems]))
        elif not as_json:
            click.echo(f"{artifact.ref}: {len(artifact.manifest.files)} files as the manifest says")
    if as_json:
        say_json(facts if all_ or len(facts) > 1 else facts[0])
    if broken:
        raise BrokenArtifact("\n".join(broken))


@click.command()
@click.option("--superseded", is_flag=True, help="Also artifacts that are not the newest of their name and made nothing kept.")
@click.option("--answers", is_flag=True, help="Also what filters have answered about artifacts that are kept.")
@click.option(
    "--copies", is_flag=True, help="Also what lies on this disk of a store in a bucket; it is fetched again when needed."
)
@click.option("--dry-run", is_flag=True, help="Only list.")
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def gc(superseded: bool, answers: bool, copies: bool, dry_run: bool, store: str, as_json: bool) -> None:
    """Remove what nothing in the store needs: drafts of runs that were given up, leftovers.

    A draft that a run is filling stays. So does every published artifact, unless --superseded is given. In a bucket, what was
    uploaded without being published goes a day later.

    \b
    Example:
      prep gc --dry-run
      prep gc --superseded
    """
    from dataclasses import asdict

    from pipeline.artifacts import Store
    from pipeline.garbage import garbage, remove
    from pipeline.progress import say_json, table

    known = Store(store)
    found = garbage(known, answers=answers, superseded=superseded, copies=copies)
    gone = [waste for waste in found if dry_run or remove(known, waste)]
    if as_json:
        say_json([asdict(waste) for waste in gone])
        return
    if gone:
        table(["kind", "folder", "bytes"], [[waste.kind, waste.name, f"{waste.bytes:,}"] for waste in gone])
    size = sum(waste.bytes for waste in gone) / 1e6
    click.echo(f"{size:,.1f} MB {'to be removed: run it without --dry-run' if dry_run and gone else 'removed'}")
