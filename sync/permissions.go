package flagsync

// Permissions are the subjects that a NATS user may publish on and subscribe
// to. Everything else is refused.
type Permissions struct {
	Publish   []string
	Subscribe []string
}

// SidecarPermissions returns what a sidecar of an environment needs, and
// nothing more: it can write nothing, and read no other environment. inbox is
// its inbox prefix, domain the JetStream domain that it goes through; "" is
// none.
func SidecarPermissions(environment, inbox, domain string) Permissions {
	var p Permissions
	for _, api := range apis(domain) {
		p.Publish = append(p.Publish,
			api+"DIRECT.GET."+flagsStream(environment), api+"DIRECT.GET."+flagsStream(environment)+".>",
			api+"DIRECT.GET."+snapStream(environment)+".>",
			api+"STREAM.INFO."+flagsStream(environment), api+"STREAM.MSG.GET."+flagsStream(environment),
		)
	}
	p.Subscribe = []string{feedSubject(environment) + ".>", beatSubject(environment), inbox + ".>"}
	return p
}

// PublisherPermissions returns what a publisher needs. It may neither delete,
// restore nor purge a stream, other than old snapshots of the environments that
// are named; without any, of all: the other streams refuse to be purged, and
// that cannot be taken from them. Nobody may publish on feed.>: that is the
// server's own.
func PublisherPermissions(domain string, environments ...string) Permissions {
	p := Permissions{
		Publish:   []string{"flags.>", "ledger.>", "snap.>", controlSubject + ".>", "beat.>"},
		Subscribe: []string{"feed.>", "beat.>", "ledger.>", controlSubject + ".>", "_INBOX.>"},
	}
	for _, api := range apis(domain) {
		p.Publish = append(p.Publish,
			api+"STREAM.CREATE.*", api+"STREAM.UPDATE.*", api+"STREAM.INFO.*", api+"STREAM.MSG.GET.*", api+"DIRECT.GET.>")
		for _, environment := range environments {
			p.Publish = append(p.Publish, api+"STREAM.PURGE."+snapStream(environment))
		}
		if len(environments) == 0 {
			p.Publish = append(p.Publish, api+"STREAM.PURGE.*")
		}
	}
	return p
}

// apis returns what the subjects of the JetStream API begin with, for clients of
// the server itself and for those that go through the domain.
func apis(domain string) []string {
	all := []string{"$JS.API."}
	if domain != "" {
		all = append(all, "$JS."+domain+".API.")
	}
	return all
}
