"""Uses a client that was generated from the document of version 2: lists, pages to the end, holds with a dry run, acknowledges, reads an event.

Usage: client.py FOLDER ADDRESS TOKEN. The folder holds the generated package `client`.
"""

import json
import sys

sys.path.insert(0, sys.argv[1])

from client import AuthenticatedClient, Client
from client.api.experiments import experiment, list_experiments
from client.api.holds import hold, make_hold
from client.api.now import stream
from client.api.suppressions import acknowledge, acknowledgement, end_acknowledgement
from client.models import (
    AcknowledgeExperiments,
    ExperimentDetail,
    Health,
    MakeHold,
    PageExperiment,
    Problem,
    Reason,
    StreamEventType4,
)

address, token = sys.argv[2:]
reader = Client(base_url=address)
maintainer = AuthenticatedClient(base_url=address, token=token)

# Lists, and pages to the end.
names, cursor = [], None
while True:
    more = {} if cursor is None else {"cursor": cursor}
    page = list_experiments.sync(client=reader, limit=40, **more)
    assert isinstance(page, PageExperiment), page
    names += [one.name for one in page.items]
    cursor = page.next_
    if cursor is None:
        break
assert len(names) == len(set(names)) == 250, len(names)
bad = list_experiments.sync(client=reader, state=[Health.DOWN, Health.FLAPPING])
assert [one.name for one in bad.items] == ["pend000"]
assert bad.items[0].health is Health.DOWN
one = experiment.sync("pend000", client=reader)
assert isinstance(one, ExperimentDetail), one

# Refusals have reasons.
unknown = experiment.sync("nope", client=reader)
assert isinstance(unknown, Problem) and unknown.reason is Reason.UNKNOWN_EXPERIMENT, unknown
body = MakeHold(resource="r-pend001", reason="exam")
anonymous = make_hold.sync(client=reader, body=body)
assert anonymous.reason is Reason.TOKEN_NEEDED, anonymous

# Holds with a dry run, which holds nothing.
dry = make_hold.sync_detailed(client=maintainer, body=body, dry_run=True)
assert dry.status_code == 200 and dry.parsed.done is False, dry
assert hold.sync("r-pend001", client=maintainer).reason is Reason.NOT_FOUND

# Acknowledges, once for one key.
text = AcknowledgeExperiments(experiments="pend*", text="motor ordered")
made = acknowledge.sync_detailed(client=maintainer, body=text, idempotency_key="a")
again = acknowledge.sync_detailed(client=maintainer, body=text, idempotency_key="a")
assert (made.status_code, again.status_code) == (201, 201), (made, again)
[number] = made.parsed.ids
assert again.parsed.ids == [number] and made.headers["location"].endswith(f"/{number}")
shown = acknowledgement.sync_detailed(number, client=maintainer)
assert (shown.parsed.name, shown.parsed.text) == ("pend000", "motor ordered"), shown
late = end_acknowledgement.sync(number, client=maintainer, if_match='"other"')
assert late.reason is Reason.PRECONDITION_FAILED, late
ended = end_acknowledgement.sync(number, client=maintainer, if_match=shown.headers["etag"])
assert ended.done is True, ended

# Reads an event. The client would wait for the end of the stream, so its request is sent by the library below it.
with reader.get_httpx_client().stream(**stream._get_kwargs()) as events:
    assert events.status_code == 200
    event = {}
    for line in events.iter_lines():
        name, _, value = line.partition(": ")
        if name in ("event", "data"):
            event[name] = value if name == "event" else json.loads(value)
        if line == "" and "data" in event:
            break
    reset = StreamEventType4.from_dict(event)
    assert (reset.event.value, reset.data.why.value) == ("reset", "start"), event

print("the client works")
