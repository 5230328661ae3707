"""Does with a client generated from Twenty's OpenAPI document what scripts do, and prints what came back.

Arguments: the address of /rest, an API key. The client's models refuse what is not of the types that
Twenty's document declares, so that each call also checks the shape of its answer.
"""

import json
import sys
import uuid

import twentycrm_client as twenty

host, key = sys.argv[1:]
# Its document names a server of somebody else for one of the calls.
client = twenty.ApiClient(twenty.Configuration(host=host, access_token=key, ignore_operation_servers=True))
mark = uuid.uuid4().hex[:8]


class Kind:
    """An object's part of the client, whose functions and classes are named for it."""

    def __init__(self, one, many, plural_class, single_class):
        self.one, self.many, self.single_class = one, many, single_class
        self.api = getattr(twenty, f"{plural_class}Api")(client)
        self.plural_class = plural_class

    def model(self, values, suffix=""):
        return getattr(twenty, self.single_class + suffix).from_dict(values)

    def data(self, response, field):
        return getattr(response.data, field)

    def create(self, values, **query):
        return self.data(getattr(self.api, f"create_one_{self.one}")(self.model(values), **query), f"create_{self.one}")

    def create_many(self, rows, **query):
        made = getattr(self.api, f"create_many_{self.many}")([self.model(row) for row in rows], **query)
        return self.data(made, f"create_{self.many}")

    def find(self, record_id, **query):
        return self.data(getattr(self.api, f"find_one_{self.one}")(record_id, **query), self.one)

    def list(self, **query):
        return getattr(self.api, f"find_many_{self.many}")(**query)

    def records(self, **query):
        return self.data(self.list(**query), self.many)

    def update(self, record_id, values, **query):
        changed = getattr(self.api, f"update_one_{self.one}")(record_id, self.model(values, "ForUpdate"), **query)
        return self.data(changed, f"update_{self.one}")

    def update_many(self, values, **query):
        changed = getattr(self.api, f"update_many_{self.many}")(self.model(values, "ForUpdate"), **query)
        return self.data(changed, f"update_{self.many}")

    def delete(self, record_id, **query):
        return self.data(getattr(self.api, f"delete_one_{self.one}")(record_id, **query), f"delete_{self.one}").id

    def delete_many(self, **query):
        gone = self.data(getattr(self.api, f"delete_many_{self.many}")(**query), f"delete_{self.many}")
        return [each.id for each in gone]

    def restore(self, record_id, **query):
        return self.data(getattr(self.api, f"restore_one_{self.one}")(record_id, **query), f"restore_{self.one}")

    def restore_many(self, **query):
        return self.data(getattr(self.api, f"restore_many_{self.many}")(**query), f"restore_{self.many}")

    def duplicates(self, values):
        request = getattr(twenty, f"Find{self.single_class}DuplicatesRequest").from_dict(values)
        [found] = getattr(self.api, f"find_{self.one}_duplicates")(request).data
        return getattr(found, f"{self.one}_duplicates"), found.total_count

    def merge(self, ids):
        request = getattr(twenty, f"MergeMany{self.plural_class}Request")(ids=ids, conflict_priority_index=0)
        return self.data(getattr(self.api, f"merge_many_{self.many}")(request), f"merge_{self.many}")


people = Kind("person", "people", "People", "Person")
companies = Kind("company", "companies", "Companies", "Company")
opportunities = Kind("opportunity", "opportunities", "Opportunities", "Opportunity")
tasks = Kind("task", "tasks", "Tasks", "Task")
notes = Kind("note", "notes", "Notes", "Note")
task_targets = Kind("task_target", "task_targets", "TaskTargets", "TaskTarget")
note_targets = Kind("note_target", "note_targets", "NoteTargets", "NoteTarget")


def walk(kind, query, size):
    """All ids by cursors, forwards; and the page before the last one, backwards."""
    ids, page, after = [], kind.list(limit=size, **query), None
    while True:
        ids += [record.id for record in kind.data(page, kind.many)]
        if not page.page_info.has_next_page:
            break
        after = str(page.page_info.end_cursor)
        page = kind.list(limit=size, starting_after=after, **query)
    before = kind.list(limit=size, ending_before=str(page.page_info.start_cursor), **query)
    return {"ids": ids, "total": page.total_count, "before": [record.id for record in kind.data(before, kind.many)]}


def life(kind, values, change, rows, probe):
    """What every object can: one record's life, then many at once."""
    made = kind.create(values)
    changed = kind.update(made.id, change)
    batch = kind.create_many(rows)
    batch_ids = [record.id for record in batch]
    listed = f"id[in]:[{','.join(str(each) for each in batch_ids)}]"
    marked = kind.delete(batch_ids[0], soft_delete=True)
    hidden = kind.records(filter=listed)
    restored = kind.restore(batch_ids[0])
    gone = kind.delete_many(filter=listed, soft_delete=True)
    back = kind.restore_many(filter=listed)
    pages = walk(kind, {"filter": listed}, 2)
    all_changed = kind.update_many(change, filter=listed)
    destroyed = kind.delete_many(filter=listed)
    return {
        "made": made,
        "found": kind.find(made.id),
        "changed": changed,
        "listed": kind.records(filter=probe.format(id=made.id)),
        "batch": batch,
        "marked": marked,
        "hidden": [record.id for record in hidden],
        "restored": restored.id,
        "gone": gone,
        "back": [record.id for record in back],
        "pages": pages,
        "allChanged": all_changed,
        "destroyed": destroyed,
        "left": len(kind.records(filter=listed)),
    }


report = {}
report["company"] = life(
    companies,
    {
        "name": f"Acme {mark}",
        "domainName": {"primaryLinkUrl": f"https://{mark}.example", "secondaryLinks": [{"label": "Docs", "url": "https://docs.example"}]},
        "address": {"addressCity": "Bern", "addressLat": 46.9, "addressLng": 7.4},
        "annualRecurringRevenue": {"amountMicros": 1200000000, "currencyCode": "CHF"},
        "idealCustomerProfile": True,
        "employees": 12,
    },
    {"employees": 13},
    [{"name": f"Batch {number} {mark}"} for number in range(5)],
    f'domainName.primaryLinkUrl[eq]:"{mark}.example",employees[gte]:13,address.addressCity[eq]:"Bern"',
)
company = report["company"]["made"].id
report["person"] = life(
    people,
    {
        "name": {"firstName": "Ada", "lastName": f"Lovelace {mark}"},
        "emails": {"primaryEmail": f"ada.{mark}@x.example", "additionalEmails": ["ada@home.example"]},
        "phones": {"primaryPhoneNumber": "311234567", "primaryPhoneCallingCode": "+41", "primaryPhoneCountryCode": "CH"},
        "linkedinLink": {"primaryLinkLabel": "Ada", "primaryLinkUrl": "https://linkedin.example/ada"},
        "jobTitle": "Countess",
        "companyId": str(company),
    },
    {"jobTitle": "Analyst", "city": "London"},
    [{"name": {"firstName": "Bob", "lastName": f"{number} {mark}"}} for number in range(5)],
    f'emails.primaryEmail[eq]:"ADA.{mark}@x.example",or(city[eq]:"London",city[is]:NULL),name.lastName[like]:"%{mark}"',
)
person = report["person"]["made"].id
report["opportunity"] = life(
    opportunities,
    {
        "name": f"Engine {mark}",
        "amount": {"amountMicros": 5000000, "currencyCode": "EUR"},
        "closeDate": "2026-12-31T00:00:00Z",
        "stage": "MEETING",
        "companyId": str(company),
        "pointOfContactId": str(person),
    },
    {"stage": "PROPOSAL"},
    [{"name": f"Deal {number} {mark}", "stage": "NEW"} for number in range(5)],
    f'pointOfContactId[eq]:{person},stage[in]:["PROPOSAL","CUSTOMER"],amount.amountMicros[gt]:1000000',
)
opportunity = report["opportunity"]["made"].id
report["task"] = life(
    tasks,
    {"title": f"Call {mark}", "bodyV2": {"markdown": "**Soon**"}, "dueAt": "2026-11-30T09:00:00Z", "status": "TODO"},
    {"status": "IN_PROGRESS"},
    [{"title": f"Task {number} {mark}"} for number in range(5)],
    'title[startsWith]:"Call",status[eq]:"IN_PROGRESS",id[eq]:{id}',
)
report["note"] = life(
    notes,
    {"title": f"Met {mark}", "bodyV2": {"markdown": "In Bern"}},
    {"title": f"Met again {mark}"},
    [{"title": f"Note {number} {mark}"} for number in range(5)],
    f'title[ilike]:"met again%",title[endsWith]:"{mark}"',
)
more = [record.id for record in people.create_many([{"name": {"firstName": str(number)}} for number in range(5)])]
for kind, owner, field in ((task_targets, report["task"], "taskId"), (note_targets, report["note"], "noteId")):
    own = str(owner["made"].id)
    report[kind.one] = life(
        kind,
        {field: own, "targetPerson": str(person)},
        {field: own},
        [{field: own, "targetPerson": str(each)} for each in more],
        f"{field}[eq]:{own},targetPersonId[eq]:{person}",
    )

related = people.find(person, depth=1)
upserted = people.create({"emails": {"primaryEmail": f"Ada.{mark}@x.example"}, "city": "Ockham"}, upsert=True)
twin = people.create({"name": {"firstName": "Ada", "lastName": f"Lovelace {mark}"}, "avatarUrl": "https://x.example/a.png"})
duplicates, total = people.duplicates({"ids": [str(person)]})
likely, _ = companies.duplicates({"data": [{"domainName": {"primaryLinkUrl": f"www.{mark}.example"}}]})
merged = people.merge([person, twin.id])
refusal = None
try:
    people.create({"emails": {"primaryEmail": f"ada.{mark}@x.example"}})
except twenty.exceptions.BadRequestException as error:
    refusal = {"status": error.status, "messages": error.data.messages if error.data else None}
missing = None
try:
    people.find(uuid.uuid4())
except twenty.exceptions.NotFoundException as error:
    missing = error.status
report["more"] = {
    "related": related,
    "upserted": upserted,
    "twin": twin.id,
    "duplicates": [record.id for record in duplicates],
    "total": total,
    "likely": [record.id for record in likely],
    "merged": merged,
    "refusal": refusal,
    "missing": missing,
    "paths": len(json.loads(twenty.GeneralApi(client).get_open_api_schema_without_preload_content().data)["paths"]),
}


def plain(value):
    return value.to_dict() if hasattr(value, "to_dict") else str(value)


print(json.dumps(report, default=plain))
