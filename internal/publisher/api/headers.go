package api

// ChangeHeaders are the headers of every request that changes something.
type ChangeHeaders struct {
	Reason         string `header:"Flagside-Reason" doc:"Why; at most 500 bytes of UTF-8. It stays in the log for ever and cannot be erased: do not name a person."`
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Makes the request safe to repeat: the same key changes nothing twice within 24 hours."`
	InUse          bool   `header:"Flagside-In-Use" doc:"That flags are to be deleted or archived although applications asked for them in the last 7 days."`
}

// AdministrationHeaders are the headers of requests that change no documents, for which no approvals are asked.
type AdministrationHeaders struct {
	Reason     string `header:"Flagside-Reason" maxLength:"500" doc:"Why. It stands in a signed record for ever and in the log lines of the publisher, and cannot be erased: do not name a person."`
	BreakGlass bool   `header:"Flagside-Break-Glass" doc:"That it is to be done without the consent that policies want, for the reason that is given."`
}

// RestoreHeaders are the headers of requests that restore or recreate an environment.
type RestoreHeaders struct {
	ChangeHeaders

	BreakGlass bool `header:"Flagside-Break-Glass" doc:"That it is to be done without approvals, for the reason that is given, and reviewed afterwards."`
}

// RepairHeaders are the headers of a request to repair a journal.
type RepairHeaders struct {
	Reason     string `header:"Flagside-Reason" required:"true" minLength:"1" maxLength:"500" doc:"Why; it stands in the journal for ever."`
	BreakGlass bool   `header:"Flagside-Break-Glass" doc:"That it is to be done without the consent that policies want, for the reason that is given."`
}

// WriteHeaders are the headers of every request that changes a document.
type WriteHeaders struct {
	ChangeHeaders

	IfMatch     string `header:"If-Match" doc:"The ETag of the document that is replaced or deleted: \"<epoch8>-<revision>\"."`
	IfNoneMatch string `header:"If-None-Match" doc:"* when the document is created."`
}
