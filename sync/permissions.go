package flagsync

import "github.com/flagside/flagside/sync/internal/jetstream"

// Permissions are the subjects that a NATS user may publish on and subscribe
// to, in its account. Everything else is refused, and so is what is denied.
type Permissions struct {
	Publish     []string
	DenyPublish []string
	Subscribe   []string
}

// SidecarPermissions returns what a sidecar of an environment needs, and nothing
// more. Its account keeps it from everything else already; permissions keep the
// sidecars of an environment from each other's replies. inbox is its inbox
// prefix.
func SidecarPermissions(environment, inbox string) Permissions {
	var p Permissions
	p.take(SidecarReads(environment))
	p.take(SidecarTakes(environment))
	p.Subscribe = append(p.Subscribe, inbox+".>")
	return p
}

// PublisherPermissions returns what a publisher needs. Environments that are
// named are the only ones whose streams it may create and whose old snapshots it
// may purge; without any, those of all.
//
// Publishers share an account with a JetStream, which acts with the rights of the
// account: permissions keep a publisher from mistakes, and the account from
// everything else.
func PublisherPermissions(environments ...string) Permissions {
	var p Permissions
	p.take(PublisherTakes(environments...))
	if len(environments) == 0 {
		p.take([]Shared{api("STREAM.CREATE.*"), api("STREAM.PURGE.*")})
	}
	p.Publish = append(p.Publish, jetstream.HeartbeatSubject("*"), jetstream.AskSubject("*")+".>", EventsSubject("*")+".*", jetstream.SeriesSubject("*")+".>", SessionsSubject+".>", "$JS.API.>", "$JS.ACK.>")
	// The account has a JetStream of its own, for what proves nothing. The log is
	// never to be made there by mistake, as when the imports are missing.
	p.DenyPublish = []string{jetstream.PlainAPI + "STREAM.*." + jetstream.ControlStream, jetstream.PlainAPI + "STREAM.*." + jetstream.PeopleStream}
	p.Subscribe = append(p.Subscribe, jetstream.HeartbeatSubject("*"), jetstream.StatusSubject("*")+".>", jetstream.UsageSubject("*")+".>", "_INBOX.>")
	return p
}

// take allows what is shared with the account.
func (p *Permissions) take(all []Shared) {
	for _, s := range all {
		if s.Service {
			p.Publish = append(p.Publish, s.Local)
		} else {
			p.Subscribe = append(p.Subscribe, s.Local)
		}
	}
}
