package attacks

import "strings"

// Attack is something that an attacker tries, and the test that tries it. The test passes if the attack is repelled.
type Attack struct {
	Attacker  Attacker
	Operation Operation
	// Package is the folder of the test below the root of the repository.
	Package string
	// Test is the name of the test, with "/" and the name of one subtest if only that is meant.
	Test string
	// Broke is what this broke before entries were signed, one of [Broken]; "" is nothing.
	Broke string
}

// Function returns the name of the test function.
func (a Attack) Function() string {
	name, _, _ := strings.Cut(a.Test, "/")
	return name
}

// Covers reports whether a test that ran, or a subtest of it, is this attack.
func (a Attack) Covers(test string) bool {
	name := strings.ReplaceAll(a.Test, " ", "_") // as the go command prints it
	return test == name || strings.HasPrefix(test, name+"/")
}

// Attacker is who attacks, and with what.
type Attacker string

// The attackers.
const (
	OtherSidecar  Attacker = "a sidecar's NATS credential, another environment"
	SameSidecar   Attacker = "a sidecar's NATS credential, the same environment"
	KeylessWriter Attacker = "a publisher's NATS credential without a key"
	Server        Attacker = "the NATS server, or someone on the path"
	SigningKey    Attacker = "a stolen signing key"
	RootKey       Attacker = "a stolen or foreign root key"
	Application   Attacker = "an application or a page that asks a sidecar"
	Caller        Attacker = "a caller of the API with some rights"
	Page          Attacker = "a page of another site, or a thief of a cookie"
	Administrator Attacker = "an administrator of the API"
	Machine       Attacker = "the publisher's machine"
	DiskThief     Attacker = "a thief of a sidecar's disk"
	DiskWriter    Attacker = "a writer to a sidecar's disk"
	BackupReader  Attacker = "a thief of a backup"
	BackupForger  Attacker = "a writer to a backup"
	LocalProcess  Attacker = "a process on loopback"
	Receiver      Attacker = "a receiver of webhooks or usage, or who answers for its name"
	Cluster       Attacker = "someone else in a cluster of Kubernetes"
)

// Attackers returns all attackers.
func Attackers() []Attacker {
	return []Attacker{
		OtherSidecar, SameSidecar, KeylessWriter, Server, SigningKey, RootKey, Application, Caller, Page, Administrator, Machine, DiskThief, DiskWriter,
		BackupReader, BackupForger, LocalProcess, Receiver, Cluster,
	}
}

// Operation is what goes on while an attacker attacks.
type Operation string

// The operations.
const (
	ColdStart         Operation = "cold start"
	Warm              Operation = "warm"
	RestartFromDisk   Operation = "restart from disk"
	NewEpoch          Operation = "new epoch"
	Restore           Operation = "restore"
	PublisherRestart  Operation = "publisher restart"
	TwoPublishers     Operation = "two publishers"
	Rotation          Operation = "rotation under load"
	BatchInterrupted  Operation = "batch interrupted"
	SameName          Operation = "same name again"
	SnapshotPublished Operation = "snapshot publish"
	OfflineAudit      Operation = "offline audit"
	Erasure           Operation = "erasure"
	Provisioning      Operation = "provisioning"
)

// Operations returns all operations.
func Operations() []Operation {
	return []Operation{
		ColdStart, Warm, RestartFromDisk, NewEpoch, Restore, PublisherRestart, TwoPublishers, Rotation, BatchInterrupted, SameName,
		SnapshotPublished, OfflineAudit, Erasure, Provisioning,
	}
}

// What attacks broke before entries were signed.
const (
	replySubjects   = "a reply subject writes or deletes"
	junkStops       = "one foreign message stops an environment"
	copiedEntries   = "entries of staging copied into prod's log count"
	forgedSnapshots = "forged snapshots are believed"
	wrongServer     = "seconds at a wrong NATS server replace all flags"
	localWriters    = "local processes write"
	trimmedLedger   = "a publisher's NATS user erases the ledger by STREAM.UPDATE"
	storedHeaders   = "stored headers are read as the server's"
	takenMessageID  = "a foreign message with the coming id makes an append a duplicate"
	rewrittenLedger = "a rewritten ledger is not noticed"
)

// Broken returns what attacks broke before entries were signed.
func Broken() []string {
	return []string{
		replySubjects, junkStops, copiedEntries, forgedSnapshots, wrongServer, localWriters, trimmedLedger, storedHeaders, takenMessageID,
		rewrittenLedger,
	}
}
