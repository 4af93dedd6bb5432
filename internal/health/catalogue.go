package health

// Code names a condition. Codes appear in logs, metrics, /status and alerts and never change.
type Code string

// The codes of all conditions.
const (
	NotReady             Code = "not-ready"
	LogUnreachable       Code = "log-unreachable"
	LogBehind            Code = "log-behind"
	PublisherSilent      Code = "publisher-silent"
	ServingFromMemory    Code = "serving-from-memory"
	ServingFromDisk      Code = "serving-from-disk"
	ServingFromBootstrap Code = "serving-from-bootstrap"
	DifferentHistory     Code = "different-history"
	LogRegressed         Code = "log-regressed"
	LogForked            Code = "log-forked"
	EpochIncomplete      Code = "epoch-incomplete"
	FragmentDropped      Code = "fragment-dropped"
	LogHole              Code = "log-hole"
	EntryUnreadable      Code = "entry-unreadable"
	DifferentState       Code = "different-state"
	EnvironmentUnknown   Code = "environment-unknown"
	EnvironmentArchived  Code = "environment-archived"
	LogUnsigned          Code = "log-unsigned"
	StreamLost           Code = "stream-lost"
	StreamMismatch       Code = "stream-mismatch"
	LogCut               Code = "log-cut"
	NATSWithoutAccounts  Code = "nats-without-accounts"
	NATSUsersRefused     Code = "nats-users-refused"
	FlagKeptLastGood     Code = "flag-kept-last-good"
	FlagErrors           Code = "flag-errors"
	FlagNotInProcess     Code = "flag-not-in-process"
	DiskUnwritable       Code = "disk-unwritable"
	DiskQuarantined      Code = "disk-quarantined"
	FileRefused          Code = "file-refused"
	LifecycleFailed      Code = "lifecycle-failed"
	PolicyRefused        Code = "policy-refused"
	ForeignMessages      Code = "foreign-messages"
	HeartbeatsOld        Code = "heartbeats-old"
	LedgerDamaged        Code = "journal-damaged"
	SigningKeyRetired    Code = "signing-key-retired"
	RootKeyOnline        Code = "root-key-online"
	CheckpointNotWritten Code = "checkpoint-not-written"
	DiskFull             Code = "disk-full"
	DiskNearlyFull       Code = "disk-nearly-full"
	SourceBroken         Code = "source-broken"
	SourceMissing        Code = "source-missing"
	SourceConflict       Code = "source-conflict"
	SourceRefused        Code = "source-refused"
	SourceBehind         Code = "source-behind"
	FleetBehind          Code = "fleet-behind"
	FleetDiverged        Code = "fleet-diverged"
	FleetVersionSkew     Code = "fleet-version-skew"
	WebhooksRefused      Code = "webhooks-refused"
	WebhookFailing       Code = "webhook-failing"
	WebhookLost          Code = "webhook-lost"
	UsageBehind          Code = "usage-behind"
	UsageIncomplete      Code = "usage-incomplete"
	UsageSinksRefused    Code = "usage-sinks-refused"
	UsageSinkLate        Code = "usage-sink-late"
	UsageSinkLost        Code = "usage-sink-lost"
)

// Severity says how urgent a condition is.
type Severity string

// The severities.
const (
	// SeverityInfo means that nothing has to be done.
	SeverityInfo Severity = "info"
	// SeverityWarning means that answers are right but older than they should be, or that a safety net is missing.
	SeverityWarning Severity = "warning"
	// SeverityCritical means that answers are refused, or that changes will not arrive until you act.
	SeverityCritical Severity = "critical"
)

// Condition describes something that can be wrong.
type Condition struct {
	Code     Code
	Severity Severity
	// Sentence says what happens and what to do.
	Sentence string
}

// Catalogue returns all conditions, grouped by what they concern. The caller owns the slice.
func Catalogue() []Condition {
	return []Condition{
		{
			NotReady, SeverityCritical,
			"There is no complete ruleset yet, so evaluations answer PROVIDER_NOT_READY; " +
				"make the change log reachable or give a data directory or a bootstrap file.",
		},
		{
			LogUnreachable, SeverityWarning,
			"The change log cannot be reached, so the known flags grow older; " +
				"check the NATS address, the network and the server.",
		},
		{
			LogBehind, SeverityWarning,
			"The change log has changes that are not applied yet; if this lasts, check the network and the load of the NATS server.",
		},
		{
			PublisherSilent, SeverityWarning,
			"No publisher has announced the head of the change log for three seconds, so the log itself is asked instead; " +
				"check that a publisher runs and reaches the stream's leader.",
		},
		{
			ServingFromMemory, SeverityWarning,
			"Answers come from memory and nothing has confirmed lately that they are the newest; " +
				"check the NATS address, the network and the server.",
		},
		{
			ServingFromDisk, SeverityWarning,
			"Answers come from the copy on disk because the change log was not reached since the start; " +
				"check the NATS address, the network and the server.",
		},
		{
			ServingFromBootstrap, SeverityWarning,
			"Answers come from the bootstrap file because neither the change log nor a copy on disk was available; " +
				"check the NATS address and the data directory.",
		},
		{
			DifferentHistory, SeverityCritical,
			"The change log is of another epoch and does not continue the known state, which is served until the other history has a complete " +
				"state; find out whether the log was restored or recreated.",
		},
		{
			LogRegressed, SeverityCritical,
			"The change log ends before the revision that is known here, so the known state is served and not the older one; " +
				"put the newer log back, or let a publisher begin a new epoch.",
		},
		{
			LogForked, SeverityCritical,
			"The change log has other entries than are known here, in the same epoch, so the known state is served; " +
				"find out who wrote to another copy of it, and let a publisher begin a new epoch.",
		},
		{
			EpochIncomplete, SeverityCritical,
			"A new epoch has begun in the change log, but its state is not complete, so the known state is served; " +
				"if this lasts, repeat the command that began it.",
		},
		{
			FragmentDropped, SeverityWarning,
			"A transaction in the change log is incomplete and was not applied; check the change it names and make it again.",
		},
		{
			LogHole, SeverityCritical,
			"Entries are missing from the change log, so it cannot be followed past them; " +
				"sidecars continue from a snapshot, a publisher waits for the operator to restore the log or start a new epoch.",
		},
		{
			EntryUnreadable, SeverityCritical,
			"The change log has an entry that this program cannot read, so it is not followed past it; " +
				"bring this program to the version of the publisher.",
		},
		{
			DifferentState, SeverityCritical,
			"The documents held here are not the state that a publisher signed at the same revision; the log is read again once, and if this " +
				"lasts the publisher was wrong: report what the detail says.",
		},
		{
			EnvironmentUnknown, SeverityCritical,
			"The environment does not exist, so there is nothing to follow; check its name or create it with a publisher.",
		},
		{
			EnvironmentArchived, SeverityWarning,
			"The environment was archived, so its flags do not change any more and are served as they were last; " +
				"stop the sidecar or give it another environment, or revive this one with flagside environment revive.",
		},
		{
			LogUnsigned, SeverityCritical,
			"Nothing in the change log is signed by the installation that is trusted here, so none of it is served; " +
				"check that the NATS address and the trust file belong to the same installation.",
		},
		{
			StreamLost, SeverityCritical,
			"The change log of a known environment is gone, so publishers refuse changes and sidecars keep serving the flags they know; " +
				"restore the stream, or recreate the environment as a new epoch.",
		},
		{
			StreamMismatch, SeverityCritical,
			"A stream has other settings than flagside needs, so it is not used; restore the settings that the detail names.",
		},
		{
			LogCut, SeverityCritical,
			"Messages are missing from a stream from which none can be removed, so its history is no longer complete; " +
				"restore the stream from a backup, and find out who can change streams on the NATS server.",
		},
		{
			NATSWithoutAccounts, SeverityWarning,
			"The NATS server keeps publishers, sidecars and streams in one account, so the credentials of any sidecar are enough to rewrite, " +
				"purge or delete the streams of the log, though never to forge flags; " +
				"give the server the accounts that \"flagside credentials config\" prints.",
		},
		{
			NATSUsersRefused, SeverityWarning,
			"The file of NATS users has mistakes or is gone, so the previous users stay in force; correct the place that the detail names.",
		},
		{
			FlagKeptLastGood, SeverityWarning,
			"A changed flag cannot be compiled here, so its last good version is served; " +
				"bring this program to the version of the publisher, or correct the flag.",
		},
		{
			FlagErrors, SeverityWarning,
			"Evaluations of a flag have ended with an error within five minutes, and applications got their own default; " +
				"evaluate the flag with one of their contexts, using flagside flag evaluate, and correct its rule.",
		},
		{
			FlagNotInProcess, SeverityWarning,
			"In-process providers do not get a flag, because they could not answer it as this program does; " +
				"let its applications ask over OFREP or flagd's RPC, or simplify the flag.",
		},
		{
			DiskUnwritable, SeverityWarning,
			"The data directory cannot be written, so a restart without the change log would find an older state or none; " +
				"free space or correct the permissions.",
		},
		{
			DiskQuarantined, SeverityWarning,
			"A file in the data directory is damaged and was set aside; the state is taken from elsewhere, so keep the file for analysis " +
				"and check the disk.",
		},
		{
			FileRefused, SeverityWarning,
			"The watched file has mistakes, so the last good version of it is served; correct the places that the detail names.",
		},
		{
			LifecycleFailed, SeverityWarning,
			"The lifecycle policy of an environment wants something of an expired flag that is refused again and again; " +
				"do it by hand, let the Cedar policies permit it, or change the lifecycle policy.",
		},
		{
			PolicyRefused, SeverityWarning,
			"The policy file has mistakes, so the previous policies stay in force; correct the places that the detail names.",
		},
		{
			ForeignMessages, SeverityWarning,
			"A stream of the change log has messages that no publisher of this installation signed; they are skipped and change nothing, " +
				"but something may write to NATS that should not: find out which user, and take its rights away.",
		},
		{
			HeartbeatsOld, SeverityWarning,
			"The heartbeats of the publisher carry a time that is more than a minute from the clock here; " +
				"set the clocks, and if they are right, find out who sends old heartbeats again.",
		},
		{
			LedgerDamaged, SeverityCritical,
			"A ledger or CONTROL lacks records or has one that cannot be read, so nothing that needs it is changed; " +
				"put the stream back from a backup, or go on behind the damage with flagside ledger repair.",
		},
		{
			SigningKeyRetired, SeverityCritical,
			"The newest keys note does not list the signing key of this publisher, so it reads and refuses to write; " +
				"replace signing.key, keys.note and trust in its directory of keys.",
		},
		{
			RootKeyOnline, SeverityInfo,
			"The root key lies where the publisher runs, so a thief of the machine could replace every key; " +
				"move it away with publisher keys export-root FILE.",
		},
		{
			CheckpointNotWritten, SeverityWarning,
			"The file of checkpoints cannot be written, so changes made now could be rewritten later without notice; " +
				"make the directory of --checkpoint-file writable.",
		},
		{
			DiskFull, SeverityCritical,
			"The disk of the embedded NATS server is full, so changes are refused while flags are served; " +
				"free space at the place that the detail names or enlarge the volume, and changes go on by themselves.",
		},
		{
			DiskNearlyFull, SeverityWarning,
			"Less than 10 % of the disk of the embedded NATS server is free, and changes are refused once it is full; " +
				"free space at the place that the detail names or enlarge the volume.",
		},
		{
			SourceBroken, SeverityWarning,
			"A source that the publisher follows has mistakes, so the environment stays as its last good version says; correct the places that the detail names.",
		},
		{
			SourceMissing, SeverityWarning,
			"A source that the publisher follows cannot be read or is empty, so the environment stays as it is; " +
				"put the files or objects back, or correct the path, the mount or the rights that the detail names.",
		},
		{
			SourceConflict, SeverityWarning,
			"A source that the publisher follows has a flag that belongs to another one, or that was changed by breaking the glass, and leaves it alone; " +
				"do what the detail says.",
		},
		{
			SourceRefused, SeverityWarning,
			"Policies do not permit what a source wants, or its change request was rejected, so the environment stays as it is; " +
				"change the source, or the policies that the detail names.",
		},
		{
			SourceBehind, SeverityWarning,
			"This publisher has read an older version of a source than another publisher for two minutes, and applies nothing of it; " +
				"check that its mount is updated, and if the older version is meant, change anything in the files, a comment for example.",
		},
		{
			FleetBehind, SeverityWarning,
			"Sidecars that report have served an older revision than the newest for 30 seconds; " +
				"look at them with flagside fleet --behind, and at their conditions.",
		},
		{
			FleetDiverged, SeverityCritical,
			"Sidecars report other documents than a publisher knows at the same revision, so applications get different answers; " +
				"look at them with flagside fleet --standing diverged, and restart one of them.",
		},
		{
			FleetVersionSkew, SeverityInfo,
			"Sidecars of several versions have run for an hour, and the oldest may not understand what the newest does; finish the upgrade.",
		},
		{
			WebhooksRefused, SeverityWarning,
			"The file of webhooks has mistakes, so the previous webhooks stay in use; correct the place that the detail names.",
		},
		{
			WebhookFailing, SeverityWarning,
			"A receiver of events has not taken one for five minutes, and the next ones wait for seven days behind it; " +
				"repair the receiver or its entry in the file of webhooks, then try it with flagside webhook test.",
		},
		{
			WebhookLost, SeverityWarning,
			"Events are lost that a receiver has not got: it was out of reach for more than seven days, or the stream of events was deleted; " +
				"let it read them with flagside activity.",
		},
		{
			UsageBehind, SeverityWarning,
			"What sidecars have counted is not folded, so the usage of flags is older than it should be, and not known after a while; " +
				"see the detail, and check the disk and the streams USAGE and SERIES.",
		},
		{
			UsageIncomplete, SeverityWarning,
			"Some counts of evaluations are missing, so for a week it is not concluded that a flag is unused; " +
				"see the detail, and give the usage more room with --usage-storage, or sidecars a data directory.",
		},
		{
			UsageSinksRefused, SeverityWarning,
			"The file of usage sinks has mistakes, so the previous sinks stay in use; correct the place that the detail names.",
		},
		{
			UsageSinkLate, SeverityWarning,
			"A sink of usage has not got reports for 15 minutes longer than it gathers them, and they are removed after 72 hours; " +
				"see the detail, and repair the directory, the bucket or the receiver.",
		},
		{
			UsageSinkLost, SeverityWarning,
			"Reports of usage are gone that a sink has not got: it failed for 72 hours, or the stream of reports was full; " +
				"repair the sink, and give the usage more room with --usage-storage.",
		},
	}
}
