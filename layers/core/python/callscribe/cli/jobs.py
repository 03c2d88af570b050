"""`callscribe jobs`: what became of the recordings that a tenant sent."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callscribe.cli.output import Form, FormOption, cell, document, line, moment, table
from callscribe.cli.session import Session, TenantOption
from callscribe.domain.prices import shown
from callscribe.errors import NotFound

if TYPE_CHECKING:
    from callscribe.domain.jobs import Job

app = typer.Typer(no_args_is_help=True, help="List a tenant's jobs, show one, swap its roles, delete it.")

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, or its number.")]


@app.command("list")
def list_jobs(
    ctx: typer.Context,
    tenant: TenantOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    output: FormOption = Form.TEXT,
) -> None:
    """List a tenant's jobs, newest first."""
    from callscribe.domain.jobs import Job
    from callscribe.services import accounts

    session: Session = ctx.obj
    tenant_id = session.tenant_id(tenant)
    accounts.get_tenant(session.deps, tenant_id)
    described = [_described(job) for job in islice(session.deps.store.listed(Job, tenant_id), limit)]
    if output is Form.JSON:
        document(described)
        return
    titles = ("number", "id", "dialect", "state", "duration_s", "created_at", "failure")
    table(titles, [[cell(entry[title]) for title in titles] for entry in described])


@app.command()
def show(ctx: typer.Context, job: JobArgument, tenant: TenantOption = None, output: FormOption = Form.TEXT) -> None:
    """Show one job."""
    session: Session = ctx.obj
    _show(_find(session, tenant, job), output)


@app.command("swap-roles")
def swap_roles(
    ctx: typer.Context, job: JobArgument, tenant: TenantOption = None, output: FormOption = Form.TEXT
) -> None:
    """Say that agent and customer of a call are the other way round; once more: as they were.

    Everything that is shown of the call from now on follows.
    """
    from callscribe.services import jobs

    session: Session = ctx.obj
    found = _find(session, tenant, job)
    _show(jobs.swap_roles(session.deps, tenant_id=found.tenant_id, job_id=found.id), output)


@app.command()
def delete(
    ctx: typer.Context,
    job: JobArgument,
    tenant: TenantOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a job with its audio, transcript, callbacks and links, in every version. Its ledger lines stay."""
    from callscribe.services import erasure

    session: Session = ctx.obj
    found = _find(session, tenant, job)
    if not yes:
        typer.confirm(f"Delete job {found.id} and all that came of it?", abort=True, err=True)
    erasure.erase_job(session.deps, tenant_id=found.tenant_id, job_id=found.id)
    line(f"{found.id} is deleted")


def _find(session: Session, tenant: str | None, given: str) -> "Job":
    from callscribe.services import jobs

    tenant_id = session.tenant_id(tenant)
    try:
        return jobs.find_by_any_id(session.deps, tenant_id=tenant_id, given=given)
    except NotFound as error:
        raise NotFound(f"{error} of the tenant {tenant_id}; for another tenant's job give --tenant") from error


def _described(job: "Job") -> dict[str, Any]:
    price = job.price
    return {
        "id": job.id,
        "number": job.number,
        "dialect": job.dialect,
        "state": str(job.state),
        "created_at": moment(job.created_at_ms),
        "finished_at": moment(job.finished_at_ms),
        "duration_s": None if job.audio is None else round(job.audio.duration_s, 3),
        "pays_from": None if price is None else str(price.account),
        "price_per_second": None if price is None else shown(price.account, price.per_s),
        "failure": None if job.failure is None else f"{job.failure.code}: {job.failure.message}",
        "roles_swapped": job.roles_swapped,
    }


def _show(job: "Job", output: Form) -> None:
    described = _described(job)
    if output is Form.JSON:
        document(described)
        return
    for name, value in described.items():
        line(f"{name:18}{cell(value)}")
