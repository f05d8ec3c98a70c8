"""The gateway's routes, one module each."""

from fastapi import APIRouter

from gateway.lane import Endpoint
from gateway.routers import (
    artifacts,
    console,
    dead_letters,
    events,
    health,
    jobs,
    keys,
    mailings,
    schedules,
    services,
    submit,
    suppressions,
    unsubscribe,
    uploads,
    webhooks,
)
from shared.contracts.registry import contracts


def every_router() -> tuple[APIRouter, ...]:
    """All routers; the submit routes are made from the contracts that there are."""
    submits = submit.routers(list(contracts().values()))
    rest = (
        jobs,
        events,
        artifacts,
        uploads,
        schedules,
        webhooks,
        dead_letters,
        mailings,
        suppressions,
        unsubscribe,
        services,
        keys,
        health,
        console,
    )
    return (submits, *(module.router for module in rest))


def submit_lane() -> dict[str, Endpoint]:
    """The submit endpoints by path, for the lane that goes past FastAPI's routing."""
    return submit.lane(contracts().values())
