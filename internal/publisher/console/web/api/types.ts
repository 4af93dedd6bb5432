// Generated from api/openapi.json by go run ./build/console. Do not edit.

export interface Activity {
  "items": Array<Event>;
  /** The newest place here, for after. */
  "newest": string;
  /** Where the next part begins; absent at the end. Where a part is short, more was looked at than it has. */
  "next"?: string;
}

export interface ApproveRequest {
  /** The hash of the change request as its reader has seen it. */
  "hash": string;
}

export interface ArchiveDocument {
  /** Whether everything that depends on it goes along. */
  "force"?: boolean;
}

export interface ArchivedManifestFlag {
  "archivedAt": string;
  "message": string;
}

export interface Base {
  "key": string;
  "kind": string;
  /** 0 if the document does not exist. */
  "revision": number;
}

export interface Caller {
  "groups": Array<string>;
  /** The opaque id that stands in the log. A person whom an issuer names gets one with the first change; absent until then. */
  "id"?: string;
  "kind": "token" | "oidc" | "dev" | "local";
  /** For people. */
  "name"?: string;
  "scope"?: Scope;
  /** What policies call a person whom an issuer names; absent if that is the id. It does not stand in the log. */
  "subject"?: string;
}

export interface ChangeDocuments {
  /** The documents. More than 1000 are written in several steps, each of which leaves a valid environment. */
  "changes": Array<CommandChange>;
}

export interface ChangeRequest {
  /** The revision of the environment that contains the change. */
  "applied"?: string;
  /** The opaque id of who has applied it. */
  "appliedBy"?: string;
  "applyAt"?: string;
  "approvals": Array<Remark>;
  /** How many approvals policies asked for when the request was made. They are asked again when it is applied. */
  "approvalsNeeded": number;
  /** The opaque id of who made it. */
  "author": string;
  /** What it was made from. If one of them changes, rebase the request. */
  "bases": Array<Base>;
  "breakGlass"?: boolean;
  "changed": string;
  "changes": Array<ProposedChange>;
  /** How many comments there are. */
  "commentCount": number;
  /** In lists empty once the request has ended. */
  "comments": Array<Remark>;
  /** The history that the revisions of bases belong to. */
  "epoch": string;
  "expires": string;
  /** Names exactly what is proposed. Send it to approve. */
  "hash": string;
  "id": string;
  /** What it would do to recent evaluations, as sidecars say now. Present if you ask for it with impact=true while the request can be applied. */
  "impact"?: Impact;
  "lateSeconds"?: number;
  /** What it was made from and has changed since, with the revisions of now, if it needs_rebase. */
  "moved"?: Array<Base>;
  /** The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased). */
  "names"?: { [name: string]: string };
  "opened": string;
  /** Why it was rejected, withdrawn or given up. */
  "outcome"?: Remark;
  "reason"?: string;
  /** What is restored or recreated; absent for any other change. */
  "restores"?: Restoration;
  /** Who has looked at it afterwards, if it went without approvals. */
  "review"?: Remark;
  /** Whether it went without approvals and has not been reviewed. */
  "reviewOpen"?: boolean;
  /** As it was when the request was made. */
  "risk": Risk;
  /** The name of the files that want it, as who made it said; absent for any other. */
  "source"?: string;
  "status": "open" | "claimed" | "applied" | "needs_rebase" | "failed" | "rejected" | "withdrawn" | "expired";
  /** Slips of its documents that are tolerated, as the environment is now; absent in lists, and once it has ended without being applied. */
  "warnings"?: Array<ProblemPlace>;
}

export interface ChangedManifestFlag {
  /** Of the type; absent leaves it. */
  "defaultValue"?: unknown;
  /** Absent or null removes it. */
  "description"?: string;
  /** The same as in the path. */
  "key": string;
  /** Flags have no name beside the key: absent, or the key. */
  "name"?: string;
  /** The type that it has: types cannot be changed. */
  "type": "boolean" | "string" | "integer" | "float" | "object";
}

export interface Command {
  /** Several documents that change together, for documents. */
  "changes"?: Array<CommandChange>;
  /** The document, for put. */
  "document"?: unknown;
  /** The flags to take, with all that they depend on, for promote; absent is all. */
  "flags"?: Array<string>;
  /** Whether what depends on the document goes along, for archive. */
  "force"?: boolean;
  /** The environment to take documents from, for promote. */
  "from"?: string;
  /** That the document must not exist, for put. */
  "ifAbsent"?: boolean;
  /** The revision that the document must have, for put, patch, delete, toggle and archive. */
  "ifMatch"?: string;
  /** That flags are to go although applications asked for them in the last 7 days, for a preview of delete and archive. */
  "inUse"?: boolean;
  /** The key of the document; absent for documents, promote, and a roll-back of everything. */
  "key"?: string;
  /** The kind of the document; absent is a flag. */
  "kind"?: "flag" | "segment" | "settings";
  /** Whether the flag is to be on, for toggle. */
  "on"?: boolean;
  /** A JSON Merge Patch (RFC 7396), for patch. */
  "patch"?: unknown;
  /** Whether what the other environment does not have is deleted, for promote. */
  "prune"?: boolean;
  /** The revision to return to, for rollback. */
  "revision"?: string;
  /** What is to be done. */
  "type": "put" | "patch" | "delete" | "toggle" | "archive" | "documents" | "rollback" | "promote";
}

export interface CommandChange {
  /** The wanted document; absent or null deletes it. */
  "document"?: unknown;
  /** The revision that the document has been seen at; absent if it did not exist. */
  "ifMatch"?: string;
  /** The key of the document. */
  "key"?: string;
  /** The kind of the document; absent is a flag. */
  "kind"?: "flag" | "segment" | "settings";
}

export interface CommentRequest {
  /** What is to be said; at most 4,000 bytes. It cannot be erased: do not name a person. */
  "text": string;
}

export interface Convergence {
  /** Whether the whole fleet is known, as in the summary of the fleet. */
  "complete": boolean;
  "completeInMs"?: number;
  /** Whether so many serve it as were asked for. Never while the fleet is not complete, and never without a sidecar. */
  "converged": boolean;
  /** How many clients get the documents from sidecars and evaluate by themselves. They hear of a change by the stream of their sidecar, and nothing tells when they serve it. */
  "evaluating"?: number;
  /** Sidecars that went within an hour without a good-bye and did not serve it by their last report, at most 100, the oldest first. They are not counted, and may still answer applications. */
  "lost": Array<GoneOne>;
  /** How many more do not. */
  "more"?: number;
  /** How many sidecars are known, silent ones too. */
  "of": number;
  "revision": string;
  /** How many sidecars serve it, or a later one. */
  "served": number;
  /** How long it took; absent if the change is too long ago. */
  "servedIn"?: ServedIn;
  /** The first 100 of those that do not serve it. */
  "stragglers": Array<Straggler>;
}

export interface CreatedToken {
  /** What its holder sends as a bearer token. It is shown here and never again. */
  "secret": string;
  "token": Token;
}

export interface Difference {
  /** Absent if the document would be deleted. */
  "after"?: unknown;
  /** Absent if the document does not exist. */
  "before"?: unknown;
  "key": string;
  "kind": string;
}

export interface DocumentChange {
  "action": "put" | "delete";
  /** The opaque id of who made the change. */
  "actor": string;
  /** The opaque ids of who agreed. */
  "approvers"?: Array<string>;
  "changeRequest"?: string;
  /** The document that was put. */
  "document"?: unknown;
  /** The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased). */
  "names"?: { [name: string]: string };
  /** The same for all documents that were changed together. */
  "opId": string;
  "reason"?: string;
  "revision": string;
  /** How the change came to sidecars, as far as this publisher remembers: of the last hundred since its start. */
  "servedIn"?: ServedIn;
  "time": string;
  /** Slips of the document that are tolerated, as the environment is now. */
  "warnings"?: Array<ProblemPlace>;
}

export interface DocumentInList {
  /** Absent with keysOnly. */
  "document"?: unknown;
  "key": string;
  /** The revision of the document. */
  "revision": string;
}

export interface DocumentList {
  /** Milliseconds since it was certain that this is the newest revision; absent if never. */
  "ageMs"?: number;
  "items": Array<DocumentInList>;
  /** Where the next part begins; absent at the end. */
  "next"?: string;
  /** The revision of the environment that was read. */
  "revision": string;
}

export interface Effect {
  "done": "added" | "changed" | "deleted";
  "key": string;
  "kind": string;
}

export interface Environment {
  /** Milliseconds since it was certain that this is the newest revision; absent if never. */
  "ageMs"?: number;
  /** When it was taken out of use; absent while it is in use. */
  "archived"?: string;
  "created": string;
  /** The opaque id of who created it. */
  "createdBy": string;
  /** When its flags were deleted for good; absent while it can be revived. Its ledger stays. */
  "destroyed"?: string;
  /** The history that revisions belong to; they begin with its first eight digits. */
  "epoch": string;
  /** The number of flags at that revision. */
  "flags": number;
  "name": string;
  /** The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased). */
  "names"?: { [name: string]: string };
  /** Whether every change is risky, which getRisk and patchRisk are about. */
  "protected": boolean;
  /** Where it is changed instead of here; absent if here. */
  "readOnly"?: string;
  /** The newest revision known here; absent until it was read completely. */
  "revision"?: string;
  /** Why nothing can be written now; absent if it can. */
  "writesRefused"?: string;
}

export interface EnvironmentList {
  "items": Array<Environment>;
}

export interface ErasePerson {
  /** The id or the subject of the person. */
  "person": string;
}

export interface Erased {
  /** The opaque ids of the person, which stay in the log and no longer lead to a person. */
  "ids": Array<string>;
}

export interface Evaluate {
  /** Evaluation contexts, each a JSON object such as {"targetingKey":"u1"}. They are neither kept nor logged. */
  "contexts": Array<unknown>;
  /** Tell step by step how each answer came about. */
  "explain"?: boolean;
  /** The keys of the flags; absent is all. Contexts times flags are 1000 at most, with explain 50. */
  "flags"?: Array<string>;
}

export interface Evaluation {
  /** Which of the contexts; 0 is the first. */
  "context": number;
  "errorCode"?: string;
  "errorDetails"?: string;
  /** How the answer came about: prerequisites, and the steps of the rule. It has values of the context. */
  "explanation"?: unknown;
  "flag": string;
  "reason": string;
  /** Which result of the rule was taken, if that is one if: 1 is that of its first condition, and the last is what is left for everyone else. Absent if no such choice was made. */
  "rule"?: number;
  /** Whether the answer may change with the clock alone. */
  "timeDependent"?: boolean;
  /** When it may change first, if that is known. */
  "validUntil"?: string;
  /** Absent if the default of the application applies. */
  "value"?: unknown;
  /** Absent if the default of the application applies. */
  "variant"?: string;
}

export interface Evaluations {
  /** The answers, those in the first context first, in the order of the flags, or by key. */
  "items": Array<Evaluation>;
  /** The revision of the environment that was evaluated. */
  "revision": string;
}

export interface Event {
  /** What policies did not permit. */
  "action"?: string;
  /** The opaque id of who did it; absent for the publisher itself. */
  "actor"?: string;
  /** The opaque ids of those whose approvals counted. */
  "approvers"?: Array<string>;
  /** Whether it was to go without approvals. */
  "breakGlass"?: boolean;
  "changeRequest"?: string;
  /** The number of the record of CONTROL that says the same, of what was done to the environment as a whole. */
  "control"?: number;
  /** How many requests came without valid authentication, or how many more were refused. */
  "count"?: number;
  /** What was to be changed. */
  "documents"?: Array<EventDocument>;
  /** Since when they were counted. */
  "from"?: string;
  /** Names exactly what was proposed, approved or claimed. */
  "hash"?: string;
  /** What holds for flags that grow old from then on. */
  "lifecycle"?: LifecyclePolicy;
  /** How many documents more there are, of an event for webhooks, in which not all have room. */
  "moreDocuments"?: number;
  /** The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased). */
  "names"?: { [name: string]: string };
  /** The op-id of a change. */
  "opId"?: string;
  /** What a released request has become. */
  "outcome"?: string;
  /** The policies that decided. */
  "policies"?: Array<string>;
  /** Whether that went without approvals and has not been reviewed: review it by this number. */
  "reviewOpen"?: boolean;
  /** The revision of the environment when the request was claimed, or with the change when it was applied. */
  "revision"?: string;
  /** What is risky from then on. */
  "risk"?: RiskSettings;
  /** Its place in the ledger; absent for a change. */
  "sequence"?: number;
  /** How a change came to sidecars, as far as this publisher remembers: of the last hundred since its start. */
  "servedIn"?: ServedIn;
  /** The source that a publisher follows and has a new version of. */
  "source"?: string;
  /** The reason, the comment, or what was refused. */
  "text"?: string;
  "time": string;
  /** What happened: change, a step of a change request, settings.risk, settings.lifecycle, source.version, lifecycle.expiring, lifecycle.expired, lifecycle.stale, lifecycle.active, lifecycle.archived, epoch.begun, environment.archived, environment.revived, environment.destroyed, environment.adopted, journal.repaired, refused or unauthenticated. */
  "type": string;
  /** That version. */
  "version"?: string;
}

export interface EventDocument {
  /** What was done to it; absent where nothing was, or not yet. */
  "action"?: "put" | "delete";
  "key"?: string;
  "kind": string;
  /** The owner of a flag that came to a stage of its life. */
  "owner"?: string;
  /** The revision that such a flag had. */
  "revision"?: number;
  /** Since when a flag is at that stage. */
  "since"?: string;
}

export interface EventList {
  "items": Array<Event>;
  /** Where the next part begins; absent at the end. */
  "next"?: number;
}

export interface FlagInUse {
  /** The applications that have asked for it in the last 7 days. */
  "applications"?: Array<string>;
  /** Evaluations in the last 24 hours. */
  "day"?: number;
  /** With hourly: the evaluations of each hour from dayFrom on; absent if there were none. */
  "hours"?: Array<number>;
  "key": string;
  /** When the flag was asked for last; absent is never. */
  "last"?: string;
  /** When it was last among all flags of an answer, of which it is not known which ones were looked at. */
  "lastBulk"?: string;
  /** Evaluations in the last 7 days. */
  "week"?: number;
}

export interface FlagLifecycle {
  /** What the policy wants of it; absent for nothing. */
  "action"?: "freeze" | "propose-removal";
  /** How far that is. waiting: a change request is open. rejected: it was proposed and not wanted; it is not proposed again until the flag changes. */
  "actionState"?: "due" | "done" | "blocked" | "waiting" | "rejected";
  /** The change request that waits, or was rejected. */
  "changeRequest"?: string;
  /** Why it is blocked. */
  "detail"?: string;
  /** The variant that every user gets; absent if that depends on the user. */
  "everyone"?: string;
  "expires"?: string;
  /** The variant that everyone is to get; absent for the default of the application. */
  "freezeTo"?: string;
  "key": string;
  "kind"?: string;
  /** When an application asked for the flag last, as far as sidecars report it. */
  "lastUse"?: string;
  /** Whether every user gets the default of the application. */
  "off"?: boolean;
  "owner"?: string;
  "revision": number;
  /** Since when it is at this stage; absent for an active flag, and while that is not told in the activity. */
  "since"?: string;
  /** expired: its expires has passed. expiring: that is near. stale: no change for long, and the same answer for everyone, or no application has asked for it. */
  "stage": "active" | "stale" | "expiring" | "expired";
  /** Whether no application has asked for it for staleDays. */
  "unused"?: boolean;
}

export interface FlagUsage {
  /** Clients that evaluate by themselves: how often they do is not known. */
  "clients"?: Array<UsageClients>;
  /** Everything that sidecars had reported until then is counted. Sidecars report once a minute. */
  "foldedUntil"?: string;
  /** Where the first point begins. */
  "from": string;
  /** Whether this publisher keeps counts. */
  "kept": boolean;
  "key": string;
  /** Evaluations that sidecars have counted and could not report, since counts begin. */
  "lost"?: number;
  /** Reports that were removed before they were counted, and such that could not be read. */
  "missed"?: number;
  /** The evaluations by time; points without any are left out. */
  "points": Array<UsagePoint>;
  /** The evaluations of the whole time, told apart; at most 1000, the largest. */
  "series": Array<UsageCount>;
  /** When counts begin; absent if there are none yet. */
  "since"?: string;
  "step": string;
  /** Where the last point ends. */
  "to": string;
  /** When a client last asked for all flags and kept the answer that it had, and it is not known which flags those were. */
  "unchanged"?: string;
  /** Evaluations of the whole time for which there was no room to tell the flags apart. */
  "untold"?: number;
  /** When each variant was given last. */
  "uses": Array<UsageLast>;
  /** Reports that have come and are not counted yet. */
  "waiting"?: number;
}

export interface Fleet {
  /** Sidecars that went within five minutes, at most 100, the oldest first. */
  "gone": Array<GoneOne>;
  "items": Array<Sidecar>;
  /** Where the next part begins; absent at the end. */
  "next"?: string;
  /** The newest revision known here; empty before the first. */
  "revision": string;
  /** Numbers about the whole fleet, whatever is asked for. */
  "summary": FleetSummary;
}

export interface FleetSummary {
  /** False while the fleet may have other sidecars: for 15 seconds after a start or a lost connection, and while it is too large for the table. */
  "complete": boolean;
  /** Milliseconds until it is complete. */
  "completeInMs"?: number;
  /** How many answer from what, such as live or disk, by their last report. */
  "serving": { [name: string]: number };
  /** How many there are, silent ones too. */
  "sidecars": number;
  /** How many are current, behind, silent and diverged. */
  "standings": { [name: string]: number };
  /** How many run which version of the sidecar. */
  "versions": { [name: string]: number };
}

export interface Freeze {
  "from": string;
  "reason"?: string;
  "to": string;
}

export interface GoneOne {
  "at": string;
  "boot": string;
  /** When it reported last. */
  "heardAt": string;
  "name": string;
  "namespace"?: string;
  "revision"?: string;
  /** good-bye: it was stopped. replaced: its pod has another process. unheard: no report for five minutes. displaced: it was silent, and the table was full. */
  "why": "good-bye" | "replaced" | "unheard" | "displaced";
}

export interface History {
  "items": Array<DocumentChange>;
  /** Where the next part begins; absent at the end. */
  "next"?: string;
}

export interface Impact {
  /** How many sidecars have counts. */
  "answered": number;
  /** The applications that asked, as far as they have names. */
  "applications": Array<string>;
  /** How many sidecars were asked. */
  "asked": number;
  "at": string;
  /** Whose clock and that of the publisher differ so much that they have not answered. */
  "clocks"?: Array<ImpactClock>;
  /** The flags that the change touches, those with the most changes first. */
  "flags": Array<ImpactFlag>;
  /** How many clients evaluate by themselves. Nothing is known of what they would answer. */
  "inProcess"?: number;
  /** Why no sidecar was asked. */
  "missing"?: string;
  /** How many flags are not listed. */
  "moreFlags"?: number;
  /** Whether some sidecars had no time to look at all that they remember. */
  "partial"?: boolean;
  /** How many sidecars have no counts, by why: busy, behind, epoch, not-ready, invalid, clock. */
  "refused"?: { [name: string]: number };
  /** How many sidecars report. If more than have counts, counts are estimated for all of them but those of unanswered applications. */
  "sidecars": number;
  /** How far back the evaluations go. */
  "sinceSeconds": number;
  /** The applications of which no sidecar that was asked has counts, so that nothing is known of them; empty for those without a name. */
  "unanswered"?: Array<string>;
}

export interface ImpactChange {
  /** The variant of the answer now; empty for an error, or where the default of the application applies. */
  "from": string;
  "n": number;
  /** The variant of the answer then, as from. The same as from if the variant has another value. */
  "to": string;
}

export interface ImpactClock {
  /** How far it is ahead of the clock of the publisher; negative if it is behind. */
  "aheadSeconds": number;
  /** The sidecar: its pod, otherwise its host. */
  "name": string;
  "namespace"?: string;
}

export interface ImpactFlag {
  /** How many would get another answer. */
  "changed": number;
  /** Which, the most frequent first. */
  "changes": Array<ImpactChange>;
  /** How many would fail. */
  "errorsAfter": number;
  /** How many fail as things are. */
  "errorsBefore": number;
  /** How many there were. What follows is of as many. */
  "evaluations": number;
  /** Whether any would fail, also where errorsAfter is 0, because a few are told as 5 or 0 at random. */
  "fails"?: boolean;
  "key": string;
  /** How many evaluations were made again; counts are estimated from them. */
  "samples": number;
  /** How many there were beside them in sidecars that remember too few to tell anything. */
  "tooFew"?: number;
}

export interface Interval {
  "first": number;
  /** It belongs to the run. */
  "last": number;
}

export interface LeftOutFlag {
  "key": string;
  /** Why, as the end of a sentence that begins with "it". */
  "reason": string;
}

export interface Lifecycle {
  "items": Array<FlagLifecycle>;
}

export interface LifecyclePolicy {
  /** How many days before its expires a flag is expiring. */
  "expiringDays": number;
  /** What becomes of expired flags by itself, by kind: experiment, permission or release. Other kinds are reported only; ops are kill switches. */
  "onExpiry"?: { [name: string]: OnExpiry };
  /** After how many days without a change a flag is stale that gives everyone the same. */
  "staleDays": number;
}

export interface LifecyclePolicyResult {
  /** The flags that it wants something of now. */
  "flags": Array<FlagLifecycle>;
  "policy": LifecyclePolicy;
}

export interface Manifest {
  /** By key. */
  "flags": Array<ManifestFlag>;
  /** The flags that a manifest cannot tell; no part of OpenFeature's contract. */
  "leftOut"?: Array<LeftOutFlag>;
}

export interface ManifestError {
  /** The detail of the problem, with the places that are wrong. */
  "message": string;
  /** The HTTP status. */
  "status": number;
}

export interface ManifestFlag {
  /** What an application uses when the flag gives it no value: that of offVariant, else that of defaultVariant, else false, zero or empty. */
  "defaultValue": unknown;
  /** One line; what could end a comment in source code is replaced. */
  "description"?: string;
  "key": string;
  "type": "boolean" | "string" | "integer" | "float" | "object";
}

export interface NewEnvironment {
  /** Whose strictness the flags follow; absent is the publisher's. */
  "compatibility"?: "flagd";
  /** A DNS label in lower case that begins with a letter, of at most 63 characters. */
  "name": string;
  /** Whether every change is risky; absent is yes for prod and production, and no for others. */
  "protected"?: boolean;
}

export interface NewManifestFlag {
  /** Of the type. */
  "defaultValue": unknown;
  "description"?: string;
  "key": string;
  /** Flags have no name beside the key: absent, or the key. */
  "name"?: string;
  "type": "boolean" | "string" | "integer" | "float" | "object";
}

export interface NewRequest {
  /** When to apply it; absent: when a caller applies it. */
  "applyAt"?: string;
  /** Whether it is to go without approvals, and be reviewed afterwards; needs a reason. */
  "breakGlass"?: boolean;
  "command": Command;
  /** When it is given up; absent is 30 days after it was made, or after applyAt. */
  "expires"?: string;
  /** How long after applyAt it may still be applied; 0 is any time. */
  "lateSeconds"?: number;
  /** Why; at most 500 bytes. It cannot be erased: do not name a person. */
  "reason"?: string;
  /** The name of the files that want it, by which flagside apply finds its own request; absent for any other. A rebase without it keeps it. */
  "source"?: string;
}

export interface NewToken {
  /** When it ends. A new token ends after a year at the latest, unless the publisher has another limit, and not after the token that it is made with. */
  "expires"?: string;
  /** The groups that policies know its holder by, such as flagside:editor. */
  "groups": Array<string>;
  /** What it is for. It stays in the audit trail and cannot be erased: do not name a person. */
  "name": string;
  "scope"?: Scope;
}

export interface Note {
  /** A C2SP signed note over the place and the SHA-256 of the stored bytes. */
  "note": string;
}

export interface OnExpiry {
  /** freeze: everyone gets the same variant; targeting is removed, prerequisites stay. propose-removal: a change request wants it archived. */
  "action": "report" | "freeze" | "propose-removal";
  /** defaultVariant (also if absent), offVariant, or the name of a variant. */
  "freezeTo"?: string;
}

export interface Operation {
  "opId": string;
  /** The revision of the environment that contains the change, if it is committed. */
  "revision"?: string;
  /** Lost: nothing was written. Open: not decided yet, ask again. Unknown: it is not in the log as it is now, or was written more than a day ago; only the publisher that was asked to write it can tell more. */
  "state": "committed" | "lost" | "open" | "unknown";
}

export interface Person {
  /** When the person got the id. */
  "created": string;
  /** When the person was erased; absent if not. */
  "erased"?: string;
  /** The opaque id of who erased the person. */
  "eraser"?: string;
  /** The opaque id that stands in the log. It stays there when the person is erased. */
  "id": string;
  /** For people. */
  "name"?: string;
  /** What policies call the person; absent if the person was erased, or if the data in PEOPLE is missing or was forged. */
  "subject"?: string;
}

export interface PersonList {
  "items": Array<Person>;
}

export interface PolicyAnswer {
  /** How many approvals would make it permitted; absent if it is, or if none would. */
  "approvals"?: number;
  /** What went wrong in policies while they were evaluated. */
  "errors"?: Array<string>;
  "permitted": boolean;
  /** The policies that decided; none if no policy permits it. */
  "policies": Array<string>;
}

export interface PolicyQuestion {
  "action": "read" | "propose" | "change" | "approve" | "apply" | "archive" | "break-glass" | "administer";
  /** How many others would have approved it. */
  "approvals"?: number;
  /** Whether the principal would demand to go without approvals. */
  "breakGlass"?: boolean;
  /** How many flags would depend on what is changed. */
  "dependants"?: number;
  /** The groups of the principal, if it is not the caller. */
  "groups"?: Array<string>;
  /** Whether the principal would be the author of the change request. */
  "ownRequest"?: boolean;
  /** What policies call who would do it: the id, or the subject of a person whom an issuer names; absent is the caller. Asking about others needs to be permitted to administer. */
  "principal"?: string;
  /** What it would be done to; absent is what is global. */
  "resource"?: Resource;
}

export interface Preview {
  "differences": Array<Difference>;
  /** What it would do to recent evaluations; absent if that was not asked for, and if you may neither do nor propose it. */
  "impact"?: Impact;
  /** Whether you may do it at once. */
  "permitted": boolean;
  /** Why you may not do it at once; approvals is how many people must agree, if that makes it possible. */
  "refused"?: Problem;
  "risk": Risk;
  /** Slips that would be tolerated. */
  "warnings"?: Array<ProblemPlace>;
}

export interface PreviewCommand {
  "command": Command;
  /** Ask sidecars what it would do to recent evaluations. */
  "impact"?: boolean;
  /** How long answers of sidecars are waited for, in milliseconds; absent is 1000. */
  "waitMs"?: number;
}

export interface Problem {
  /** What policies do not permit. */
  "action"?: string;
  /** How many people must agree in all before policies permit it: open a change request. */
  "approvals"?: number;
  /** The revision that the document has now, if it exists. */
  "current"?: string;
  /** What is wrong and what to do, in one or two sentences. */
  "detail"?: string;
  /** The problem once more, as OpenFeature's manifest API has it; only in its answers. */
  "error"?: ManifestError;
  /** The places that are wrong, if there are any to name. */
  "errors"?: Array<ProblemPlace>;
  /** What a stale change request was made from and has changed since, with the revisions that it has now. */
  "moved"?: Array<Base>;
  /** The op-id under which an undecided change will stand in the log if it is written. */
  "opId"?: string;
  /** The policies that decided. */
  "policies"?: Array<string>;
  /** The id of the change request that is concerned. */
  "request"?: string;
  /** What the change puts at stake. */
  "risk"?: Risk;
  /** The HTTP status. */
  "status": number;
  /** The HTTP status in words. */
  "title": string;
  /** Identifies the kind of problem: urn:flagside:problem: and its name. There may be more one day. */
  "type": "urn:flagside:problem:approval-required" | "urn:flagside:problem:break-glass-required" | "urn:flagside:problem:contended" | "urn:flagside:problem:different-state" | "urn:flagside:problem:disk-full" | "urn:flagside:problem:entangled" | "urn:flagside:problem:entry-unreadable" | "urn:flagside:problem:environment-ambiguous" | "urn:flagside:problem:environment-archived" | "urn:flagside:problem:environment-destroyed" | "urn:flagside:problem:environment-exists" | "urn:flagside:problem:environment-forgotten" | "urn:flagside:problem:environment-name" | "urn:flagside:problem:environment-unknown" | "urn:flagside:problem:forbidden" | "urn:flagside:problem:foreign-host" | "urn:flagside:problem:foreign-messages" | "urn:flagside:problem:foreign-origin" | "urn:flagside:problem:in-use" | "urn:flagside:problem:internal" | "urn:flagside:problem:invalid" | "urn:flagside:problem:invalid-request" | "urn:flagside:problem:journal-cut" | "urn:flagside:problem:journal-damaged" | "urn:flagside:problem:journal-whole" | "urn:flagside:problem:key-expired" | "urn:flagside:problem:key-reused" | "urn:flagside:problem:log-unreachable" | "urn:flagside:problem:malformed" | "urn:flagside:problem:manifest-conflict" | "urn:flagside:problem:method-not-allowed" | "urn:flagside:problem:not-found" | "urn:flagside:problem:not-known" | "urn:flagside:problem:not-open" | "urn:flagside:problem:not-ready" | "urn:flagside:problem:not-stored" | "urn:flagside:problem:people-unavailable" | "urn:flagside:problem:plain-http" | "urn:flagside:problem:precondition-failed" | "urn:flagside:problem:precondition-missing" | "urn:flagside:problem:read-only" | "urn:flagside:problem:sessions-unavailable" | "urn:flagside:problem:signing-key-retired" | "urn:flagside:problem:source-owned" | "urn:flagside:problem:stale" | "urn:flagside:problem:stopping" | "urn:flagside:problem:stream-lost" | "urn:flagside:problem:stream-mismatch" | "urn:flagside:problem:timeout" | "urn:flagside:problem:token" | "urn:flagside:problem:too-large" | "urn:flagside:problem:too-many" | "urn:flagside:problem:too-many-requests" | "urn:flagside:problem:unauthenticated" | "urn:flagside:problem:unavailable" | "urn:flagside:problem:unconfirmed" | "urn:flagside:problem:undecided" | "urn:flagside:problem:unsupported-media-type" | "urn:flagside:problem:unwritable";
}

export interface ProblemPlace {
  /** What to do. */
  "hint"?: string;
  /** The key of the document. */
  "key"?: string;
  /** The kind of the document: flag, segment or settings. */
  "kind"?: string;
  /** The place in the request when it is not in a document. */
  "location"?: string;
  /** The place in the document, a JSON pointer (RFC 6901). */
  "pointer"?: string;
  /** What is wrong. */
  "reason": string;
}

export interface PromoteEnvironment {
  /** The flags to take, with all that they depend on; absent is all flags and segments. */
  "flags"?: Array<string>;
  /** The environment to take documents from. */
  "from": string;
  /** Whether what the other environment does not have is deleted. */
  "prune"?: boolean;
}

export interface ProposedChange {
  /** Absent if it is deleted, and in lists also once the request has ended. */
  "document"?: unknown;
  "key": string;
  "kind": string;
}

export interface Record {
  /** The opaque id of who did it; absent for a publisher itself. */
  "actor"?: string;
  /** Whether it went without the approvals that policies want. */
  "breakGlass"?: boolean;
  /** What made it read them: start or reload. */
  "cause"?: string;
  /** The SHA-256 of the policies that a publisher enforces from then on. */
  "digest"?: string;
  "environment"?: string;
  /** The version of the keys note, which says who may sign. */
  "keysVersion"?: number;
  /** The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased). */
  "names"?: { [name: string]: string };
  /** The opaque id of the person. */
  "person"?: string;
  /** The host of that publisher. */
  "publisher"?: string;
  "reason"?: string;
  /** Whether it went without approvals and has not been reviewed. */
  "reviewOpen"?: boolean;
  /** The opaque id of who has reviewed it. */
  "reviewedBy"?: string;
  /** The number of the record that was reviewed. */
  "reviews"?: number;
  /** Its place in CONTROL. */
  "sequence": number;
  /** Absent for keys, whose note has none. */
  "time"?: string;
  /** The id of the token. */
  "token"?: string;
  /** What was done: environment.created, environment.adopted, environment.archived, environment.revived, environment.destroyed, token.created, token.revoked, person.erased, policy.changed, keys, journal.repaired, control.reviewed or control.restored. */
  "type": string;
}

export interface RecordList {
  "items": Array<Record>;
  /** Where the next part begins; absent at the end. */
  "next"?: number;
}

export interface Remark {
  "at": string;
  /** The opaque id of who; absent for the publisher itself. */
  "by"?: string;
  "text"?: string;
}

export interface Repaired {
  /** The number of the newest record, which is part of the repair and names what is kept and what is lost. */
  "head": number;
  /** The newest record of each part that is kept, in ascending order. Between two parts, and behind the last one, records are missing. */
  "kept": Array<number>;
  /** The number of a record that is named elsewhere and is lost; absent if none is known. */
  "lacks"?: number;
  /** The places whose messages are missing or cannot be read, in ascending order. Some may have held no record. */
  "lost": Array<Interval>;
  /** The stream of the journal. */
  "stream": string;
}

export interface RequestList {
  "items": Array<ChangeRequest>;
  /** Where the next part begins; absent at the end. */
  "next"?: string;
}

export interface Resource {
  /** The environment; absent is what is global. */
  "environment"?: string;
  "flagKind"?: string;
  "flagSet"?: string;
  "key"?: string;
  /** The kind of the document; absent is the environment itself. */
  "kind"?: "flag" | "segment" | "settings";
  "owner"?: string;
  "tags"?: Array<string>;
}

export interface Restoration {
  /** The revision that the environment had; absent if it was not known. */
  "before"?: string;
  /** The digest of the documents that it had. */
  "beforeStateDigest"?: string;
  /** How many documents differ in all. The record of a new epoch names at most 500. */
  "documents": number;
  /** Whether the log had that revision. */
  "inHistory": boolean;
  /** Whether the documents are written as a new epoch of the log. */
  "newEpoch": boolean;
  /** The revision of the snapshot; absent if the environment is recreated from what a publisher held. */
  "snapshot"?: string;
  /** The digest of the documents to be restored. */
  "stateDigest": string;
}

export interface Restored {
  /** The change request, also of a new epoch, which is reviewed there; absent if nothing was to change. */
  "changeRequest"?: ChangeRequest;
  /** The environment afterwards. */
  "environment": Environment;
  /** Whether the log has that revision. If not, only breaking the glass restores the snapshot. */
  "inHistory": boolean;
  /** Whether it is a new epoch of the log, and no ordinary change. */
  "newEpoch": boolean;
  /** Preview: nothing was asked for but to look. Waiting: the change request waits for approvals. */
  "outcome": "preview" | "unchanged" | "waiting" | "applied";
  /** What changes. */
  "preview": Preview;
  /** How many documents still differ: repeat it for the next part. */
  "remaining"?: number;
  /** The revision of the snapshot. */
  "snapshot"?: string;
  /** Why the change request was not applied at once. */
  "waits"?: Problem;
}

export interface Risk {
  /** How many flags depend on what changes, directly or not. */
  "dependants": number;
  "high": boolean;
  /** Whether the flags were evaluated lately; absent if that is not known. */
  "inUse"?: boolean;
  "reasons": Array<RiskReason>;
  /** The part of the users, from 0 to 1, whose answer changes; absent if that is not known. */
  "share"?: number;
}

export interface RiskReason {
  /** For policies and programs, such as protected-environment. */
  "code": string;
  /** For people. */
  "sentence": string;
}

export interface RiskSettings {
  /** The number of flags from which on a change of what they depend on is risky; 0 turns this off. */
  "dependants"?: number;
  /** The times in which every change is risky. */
  "freezes"?: Array<Freeze>;
  /** Whether every change is risky. */
  "protected"?: boolean;
  /** The part of the users from which on a change of their answer is risky; 0 turns this off. */
  "share"?: number;
  /** The tags of flags every change of which is risky. */
  "tags"?: Array<string>;
}

export interface RollBackDocument {
  /** The revision of the environment to return to, <epoch8>-<revision>. */
  "revision": string;
}

export interface RollBackEnvironment {
  /** The revision to return to, <epoch8>-<revision>. */
  "revision": string;
}

export interface Scope {
  /** The only actions that it may take. */
  "actions"?: Array<string>;
  /** The only environments that it reaches. */
  "environments"?: Array<string>;
}

export interface ServedIn {
  /** How many sidecars acknowledged it: all of a fleet of up to a thousand, about a thousand of a larger one. */
  "acks": number;
  /** Milliseconds until all of them did; absent if that was never so. */
  "allMs"?: number;
  /** Milliseconds until half of those served it. */
  "medianMs": number;
  /** How many are known now. */
  "of": number;
  "p90Ms": number;
  "p99Ms": number;
  /** How many sidecars serve it now, or a later revision. */
  "served": number;
  /** How many sidecars there were when all of them served it; absent if that was never so. */
  "sidecars"?: number;
}

export interface Session {
  /** What the browser calls itself. */
  "browser"?: string;
  "created": string;
  /** Whether it is the session of this very request. */
  "current"?: boolean;
  /** When it ends, 12 hours after it began. */
  "expires": string;
  /** How it signed in: with an API token, by an OpenID Connect issuer, or with the link that flagside dev prints. */
  "how": "token" | "oidc" | "dev";
  /** Names the session. It is no secret. */
  "id": string;
  /** What the principal is: token, oidc for a person of an issuer, dev. */
  "kind": "token" | "oidc" | "dev";
  /** What people call the person or the token. */
  "name"?: string;
  /** The opaque id of who is signed in; unregistered for a person who had not changed anything yet when signing in. */
  "principal": string;
}

export interface SessionList {
  "items": Array<Session>;
}

export interface Sidecar {
  /** How old its flags were when it reported, in milliseconds; absent if it does not know. */
  "ageMs"?: number;
  "application"?: string;
  "applicationVersion"?: string;
  /** The random id of the process. */
  "boot": string;
  /** How many clients are connected to each of its ports. */
  "clients": { [name: string]: number };
  /** The codes of what is wrong there. */
  "conditions": Array<string>;
  "flags": number;
  "host"?: string;
  "labels"?: { [name: string]: string };
  /** The pod, otherwise the host. */
  "name": string;
  "namespace"?: string;
  "node"?: string;
  "pod"?: string;
  /** How many documents it could not compile, so that it serves an older version of them or none. */
  "refused": number;
  /** The first of them. */
  "refusedKeys"?: Array<string>;
  /** Milliseconds since its last report. */
  "reportedMsAgo": number;
  /** What it serves; absent if its flags never were in the log. */
  "revision"?: string;
  /** What it answers from: live, memory, disk, bootstrap or empty. */
  "serving"?: string;
  /** Silent: not heard of for 36 seconds. Diverged: it serves other documents than there are at its revision. */
  "standing": "current" | "behind" | "silent" | "diverged";
  "stateDigest"?: string;
  /** How long it ran when it reported. */
  "upSeconds": number;
  /** The version of the sidecar. */
  "version"?: string;
  "zone"?: string;
}

export interface Source {
  /** When the environment was last found to be as the source says. */
  "applied"?: string;
  /** The change request that waits, or was rejected. */
  "changeRequest"?: string;
  /** The documents that others have. */
  "conflicts"?: Array<EventDocument>;
  /** What exactly is wrong. */
  "detail"?: string;
  /** How many documents it owns. */
  "documents": number;
  "kind": "files" | "kubernetes";
  /** What stands in the member $source of the documents that it owns; of objects of Kubernetes, with the object behind it. */
  "name": string;
  /** The path, or the namespace. */
  "place": string;
  /** When the state began. */
  "since"?: string;
  /** How far this publisher is with it. applied: the environment is as it says. waiting-for-approval: a change request waits. delayed: the environment cannot be changed now. broken: it has mistakes. missing: it cannot be read, or is empty. conflict: others have some of it. behind: another publisher has a newer version. refused: policies do not permit it, or its change request was rejected. not-followed: it owns documents, and this publisher does not follow it. */
  "state": "starting" | "applied" | "waiting-for-approval" | "delayed" | "broken" | "missing" | "conflict" | "behind" | "refused" | "not-followed";
  /** What was read last: a commit, a resource version, or the beginning of a digest. */
  "version"?: string;
}

export interface SourceList {
  "items": Array<Source>;
}

export interface Straggler {
  "boot": string;
  "name": string;
  "namespace"?: string;
  "reportedMsAgo": number;
  /** What it serves. */
  "revision"?: string;
  /** Refused: it could not compile a document that the change may concern. */
  "why": "behind" | "silent" | "diverged" | "refused";
}

export interface Task {
  /** The opaque id of who asked for it. */
  "actor"?: string;
  "begun": string;
  /** How many documents were written, or records verified, so far. */
  "done": number;
  /** Absent while it is running. */
  "ended"?: string;
  "id": string;
  /** What it does: apply a change of 100 documents or more, write the environment as a new epoch, restore a snapshot, or verify the history. */
  "kind": "apply" | "recreate" | "restore" | "verify";
  /** The names of the persons and tokens whose ids stand here, by id. */
  "names"?: { [name: string]: string };
  /** Why it failed: the problem that its caller was answered with. */
  "problem"?: Problem;
  /** The id of the change request that was applied or opened. */
  "request"?: string;
  "state": "running" | "done" | "failed";
  /** How many there are, as far as it is known; 0 is not known yet. */
  "total": number;
  /** What a verification found. */
  "verification"?: Verification;
}

export interface TaskList {
  /** The tasks of the environment, the newest first. */
  "items": Array<Task>;
}

export interface ToggleFlag {
  /** Whether the flag is to be on. */
  "on": boolean;
}

export interface Token {
  /** The opaque id of who created it. */
  "author": string;
  "created": string;
  /** When it ends. A new token ends after a year at the latest, unless the publisher has another limit, and not after the token that it is made with. */
  "expires"?: string;
  "groups": Array<string>;
  /** How the secret ends. */
  "hint": string;
  "id": string;
  "name": string;
  /** The names of the persons and tokens whose ids stand here, by id; of an erased person the id with (erased). */
  "names"?: { [name: string]: string };
  /** When it was revoked; absent if it was not. */
  "revoked"?: string;
  /** The opaque id of who revoked it. */
  "revoker"?: string;
  "scope"?: Scope;
}

export interface TokenList {
  "items": Array<Token>;
}

export interface UnknownFlag {
  "application"?: string;
  "key": string;
  /** The last day, in UTC, with a request. */
  "lastDay": string;
  "requests": number;
}

export interface UnknownFlags {
  /** Clients that evaluate by themselves: how often they do is not known. */
  "clients"?: Array<UsageClients>;
  /** Everything that sidecars had reported until then is counted. Sidecars report once a minute. */
  "foldedUntil"?: string;
  "from": string;
  /** By key. Flags that exist now are left out. */
  "items": Array<UnknownFlag>;
  /** Whether this publisher keeps counts. */
  "kept": boolean;
  /** Evaluations that sidecars have counted and could not report, since counts begin. */
  "lost"?: number;
  /** Reports that were removed before they were counted, and such that could not be read. */
  "missed"?: number;
  /** Requests for flags for which there was no room to name them. */
  "others"?: number;
  /** When counts begin; absent if there are none yet. */
  "since"?: string;
  /** When a client last asked for all flags and kept the answer that it had, and it is not known which flags those were. */
  "unchanged"?: string;
  /** Reports that have come and are not counted yet. */
  "waiting"?: number;
}

export interface Usage {
  /** Clients that evaluate by themselves: how often they do is not known. */
  "clients"?: Array<UsageClients>;
  /** Where the count of the last 24 hours begins: at a full hour. */
  "dayFrom"?: string;
  /** Flags that were evaluated, by key; also such that do not exist any more. */
  "flags": Array<FlagInUse>;
  /** Everything that sidecars had reported until then is counted. Sidecars report once a minute. */
  "foldedUntil"?: string;
  /** Whether this publisher keeps counts. */
  "kept": boolean;
  /** Evaluations that sidecars have counted and could not report, since counts begin. */
  "lost"?: number;
  /** Reports that were removed before they were counted, and such that could not be read. */
  "missed"?: number;
  /** When counts begin; absent if there are none yet. */
  "since"?: string;
  /** When a client last asked for all flags and kept the answer that it had, and it is not known which flags those were. */
  "unchanged"?: string;
  /** Reports that have come and are not counted yet. */
  "waiting"?: number;
  /** Where the count of the last 7 days begins: at a day of UTC. */
  "weekFrom"?: string;
}

export interface UsageClients {
  "application"?: string;
  /** How many there are now. */
  "clients"?: number;
  /** When there were some last. */
  "last": string;
}

export interface UsageCount {
  "application"?: string;
  /** Whether it was among all flags of an answer. */
  "bulk"?: boolean;
  "errorCode"?: string;
  "evaluations": number;
  "reason"?: string;
  /** The version of the application. */
  "release"?: string;
  /** The revision of the flag. */
  "revision"?: string;
  /** The number of the rule that answered, from 1. */
  "rule"?: number;
  /** Absent if the default of the application applied. */
  "variant"?: string;
}

export interface UsageLast {
  "application"?: string;
  "last"?: string;
  "lastBulk"?: string;
  "variant"?: string;
}

export interface UsagePoint {
  "at": string;
  "evaluations": number;
  /** By variant; the empty one is the default of the application. */
  "variants": { [name: string]: number };
}

export interface Verification {
  /** Whether nothing is lost: false if it is not verified, too. */
  "complete": boolean;
  "installation": string;
  /** The names and numbers of the keys that may sign now. */
  "keys": Array<string>;
  /** The version of the keys note that was believed. */
  "keysVersion": number;
  /** The first record that is not what it was when it was signed, and why; absent if it is verified. */
  "problem"?: string;
  "streams": Array<VerificationStream>;
  "time": string;
  /** Whether every record continues the one before and is proved, and the changes are those that were signed. */
  "verified": boolean;
  "warnings"?: Array<string>;
}

export interface VerificationStream {
  /** The number of the newest record. */
  "last": number;
  "records": number;
  "stream": string;
}

export interface Webhook {
  /** open: it is left alone for a minute, because it has failed five times in a row. */
  "breaker": "closed" | "open" | "half-open";
  "environments": Array<WebhookDelivery>;
  /** The types of events that it gets; absent for all. */
  "events"?: Array<string>;
  "format": "cloudevents" | "slack" | "teams" | "text";
  /** Scheme and host of the receiver. The rest of its address may be secret and is never shown. */
  "host": string;
  "name": string;
}

export interface WebhookDelivery {
  /** Events that this publisher has delivered since its start. */
  "delivered": number;
  "environment": string;
  /** How many have failed since. */
  "failedAttempts"?: number;
  /** Since when every attempt of this publisher has failed. */
  "failingSince"?: string;
  "lastDelivered"?: string;
  "lastError"?: string;
  /** When the oldest of them was taken up. */
  "oldestWaiting"?: string;
  /** starting: its place in the stream of events is not known yet. */
  "state": "starting" | "ok" | "failing";
  /** Events that the receiver has not got yet, whichever publisher has them in hand. */
  "waiting": number;
}

export interface WebhookList {
  "items": Array<Webhook>;
}

export interface WebhookTest {
  "delivered": boolean;
  /** Why the receiver did not take it. */
  "error"?: string;
}

export interface Written {
  /** False if everything was as wanted already, so that nothing was written. */
  "changed": boolean;
  /** What was done to each document; absent where an idempotency key has done it before. */
  "effects"?: Array<Effect>;
  /** The op-id of the change in the log. */
  "opId"?: string;
  /** The revision of the environment that contains the change. */
  "revision": string;
  /** Slips that were tolerated. */
  "warnings"?: Array<ProblemPlace>;
}

export interface WrittenManifestFlag {
  "flag": ManifestFlag;
  /** When the flag was changed last. */
  "updatedAt": string;
}
