package flagsync

import "github.com/flagside/flagside/sync/internal/jetstream"

// Shared is a subject, or a pattern of subjects, that one NATS account offers to
// another one.
//
// NATS checks the subject of a request and never its reply, and the server
// answers with its own rights. In one account, therefore, everyone who may ask
// JetStream anything can write, purge and delete anywhere in it. Between accounts
// a reply leads back to the account that asked, and nowhere else.
type Shared struct {
	// Subject is what it is called in the account that offers it.
	Subject string
	// Local is what it is called in the account that takes it.
	Local string
	// Service is true for requests, which go to the account that offers it, and
	// false for messages that come from there.
	Service bool
	// Streamed tells that a request has several answers.
	Streamed bool
}

// StreamReads returns what the account with the streams offers to those that
// read all of them: publishers.
func StreamReads() []Shared {
	return []Shared{
		api("STREAM.INFO.*"),
		api("STREAM.MSG.GET.*"),
		streamedAPI("DIRECT.GET.*"),
		streamedAPI("DIRECT.GET.*.>"),
		messages("feed.>"),
	}
}

// StreamWrites returns what the account with the streams offers to publishers
// only. No stream can be updated or deleted. What publishers take of it is less:
// see [PublisherTakes].
func StreamWrites() []Shared {
	return append(written(), api("STREAM.CREATE.*"), api("STREAM.PURGE.*"))
}

// written is what publishers write and delete, and the journals that they
// follow.
func written() []Shared {
	return []Shared{
		messages(jetstream.LedgerFeedSubject + ".>"),
		api("STREAM.MSG.DELETE." + jetstream.PeopleStream),
		requests("flags.>"),
		requests("ledger.>"),
		requests(jetstream.ControlSubject + ".>"),
		requests("snap.>"),
		requests(jetstream.PeopleSubject + ".>"),
	}
}

// PublisherTakes returns what publishers take from the account with the streams,
// for the environments that exist or are to be created.
//
// The streams that can be created are named one by one. The server repeats what
// enters a stream on any subject that its creator wishes, such as the one on which
// it deletes another stream: a publisher that could create any stream could delete
// all. One that exists cannot be created with other settings. The streams that can
// be purged are named too, although the settings of the others deny it.
func PublisherTakes(environments ...string) []Shared {
	all := append(StreamReads(), written()...)
	all = append(all, api("STREAM.CREATE."+jetstream.ControlStream), api("STREAM.CREATE."+jetstream.PeopleStream), api("STREAM.PURGE."+jetstream.PeopleStream))
	for _, e := range environments {
		all = append(all, EnvironmentTakes(e)...)
	}
	return all
}

// EnvironmentTakes returns those of them that one more environment needs.
func EnvironmentTakes(environment string) []Shared {
	return []Shared{
		api("STREAM.CREATE." + jetstream.FlagsStream(environment)),
		api("STREAM.CREATE." + jetstream.LedgerStream(environment)),
		api("STREAM.CREATE." + jetstream.SnapStream(environment)),
		api("STREAM.PURGE." + jetstream.SnapStream(environment)),
	}
}

// SidecarReads returns what sidecars of an environment take from the account
// with the streams.
func SidecarReads(environment string) []Shared {
	return []Shared{
		api("STREAM.INFO." + jetstream.FlagsStream(environment)),
		api("STREAM.MSG.GET." + jetstream.FlagsStream(environment)),
		streamedAPI("DIRECT.GET." + jetstream.FlagsStream(environment)),
		streamedAPI("DIRECT.GET." + jetstream.SnapStream(environment) + ".>"),
		messages(jetstream.FeedSubject(environment) + ".>"),
	}
}

// PublisherOffers returns what the account of publishers offers to sidecars.
// Publishers speak there and not in the account with the streams, because
// messages that came from another account are not passed on.
func PublisherOffers() []Shared {
	return []Shared{
		messages(jetstream.HeartbeatSubject("*")),
		messages(jetstream.AskSubject("*") + ".>"),
		requests(jetstream.StatusSubject("*") + ".>"),
		requests(jetstream.UsageSubject("*") + ".>"),
	}
}

// SidecarTakes returns what sidecars of an environment take from the account of
// publishers.
func SidecarTakes(environment string) []Shared {
	return []Shared{
		messages(jetstream.HeartbeatSubject(environment)),
		messages(jetstream.AskSubject(environment) + ".>"),
		requests(jetstream.StatusSubject(environment) + ".>"),
		requests(jetstream.UsageSubject(environment) + ".>"),
	}
}

// LedgerStream names the stream of the ledger of an environment.
func LedgerStream(environment string) string { return jetstream.LedgerStream(environment) }

// EventsStream names the stream in the account of publishers that keeps what
// happened in an environment for webhooks.
func EventsStream(environment string) string { return "EVENTS_" + environment }

// UsageStream names the stream in the account of publishers that takes the reports of
// sidecars about an environment.
func UsageStream(environment string) string { return jetstream.UsageStream(environment) }

// PublisherStreams names the streams in the account of publishers that are about an
// environment: what happened, for webhooks, and the usage of flags.
func PublisherStreams(environment string) []string {
	return []string{EventsStream(environment), jetstream.UsageStream(environment), jetstream.SeriesStream(environment)}
}

// SessionsStream names the stream in the account of publishers that keeps who is
// signed in to the console, and SessionsSubject begins its subjects.
const (
	SessionsStream  = "SESSIONS"
	SessionsSubject = "sessions"
)

// EventsSubject begins the subjects of its messages.
func EventsSubject(environment string) string { return "events." + environment }

// api is a call of the JetStream API under a neutral name: the server has its own
// service at $JS.API in every account, and answers there for that account.
func api(call string) Shared {
	return Shared{Subject: jetstream.PlainAPI + call, Local: jetstream.AccountsAPI + call, Service: true}
}

func streamedAPI(call string) Shared {
	s := api(call)
	s.Streamed = true
	return s
}

func requests(subject string) Shared { return Shared{Subject: subject, Local: subject, Service: true} }
func messages(subject string) Shared { return Shared{Subject: subject, Local: subject} }
