package natsserver

import (
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats-server/v2/server"

	flagsync "github.com/flagside/flagside/sync"
)

// maxGuests is how many environments clients without credentials can have an
// account for: a server cannot remove accounts, and names cost nothing.
const maxGuests = 1000

// accounts are those of a server that runs. They are made through its own
// interface and never by loading its options again, which would cut clients off.
type accounts struct {
	nats       *server.Server
	publishers *server.Account

	mu       sync.Mutex
	allowed  map[string]bool            // environments whose streams publishers may create
	sidecars map[string]*server.Account // by environment
	guests   int                        // of them, those that no user is for
}

// newAccounts makes the account of publishers on a server that has started. The
// streams lie in its global account.
func newAccounts(nats *server.Server) (*accounts, error) {
	a := &accounts{nats: nats, allowed: make(map[string]bool), sidecars: make(map[string]*server.Account)}
	streams := nats.GlobalAccount()
	publishers, err := nats.RegisterAccount(publishersAccount)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", publishersAccount, err)
	}
	a.publishers = publishers
	if err := publishers.EnableJetStream(nil, nil); err != nil {
		return nil, fmt.Errorf("account %s: JetStream: %w", publishersAccount, err)
	}
	layout := publishersLayout(streams.GetName(), nil)
	return a, errors.Join(
		export(streams, flagsync.StreamReads(), nil), // to whom it is up to us, who alone make accounts
		export(streams, flagsync.StreamWrites(), []*server.Account{publishers}),
		export(publishers, flagsync.PublisherOffers(), nil),
		a.take(publishers, layout.takes),
	)
}

// allow lets publishers create and purge the streams of an environment.
func (a *accounts) allow(environment string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.allowed[environment] {
		return nil
	}
	var takes []take
	for _, s := range flagsync.EnvironmentTakes(environment) {
		takes = append(takes, take{s, a.nats.GlobalAccount().GetName()})
	}
	if err := a.take(a.publishers, takes); err != nil {
		return err
	}
	a.allowed[environment] = true
	return nil
}

// ofSidecars returns the account for the sidecars of an environment, and makes it
// when it is not there. guest tells that no user is for the environment.
func (a *accounts) ofSidecars(environment string, guest bool) (*server.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if account := a.sidecars[environment]; account != nil {
		return account, nil
	}
	if guest && a.guests >= maxGuests {
		return nil, fmt.Errorf("clients without credentials named %d environments, the most allowed: make credentials with \"flagside credentials add\"", a.guests)
	}
	layout := sidecarsLayout(a.nats.GlobalAccount().GetName(), environment)
	account, err := a.nats.RegisterAccount(layout.name)
	if err == nil {
		err = a.take(account, layout.takes)
	}
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", layout.name, err)
	}
	a.sidecars[environment] = account
	if guest {
		a.guests++
	}
	return account, nil
}

// export offers subjects of an account to others, to all when none is named.
func export(account *server.Account, all []flagsync.Shared, to []*server.Account) error {
	for _, s := range all {
		if err := exportOne(account, s, to); err != nil {
			return fmt.Errorf("account %s: export %s: %w", account.GetName(), s.Subject, err)
		}
	}
	return nil
}

func exportOne(account *server.Account, s flagsync.Shared, to []*server.Account) error {
	if !s.Service {
		return account.AddStreamExport(s.Subject, to)
	}
	kind := server.Singleton
	if s.Streamed {
		kind = server.Streamed
	}
	if err := account.AddServiceExportWithResponse(s.Subject, kind, to); err != nil {
		return err
	}
	return account.SetServiceExportResponseThreshold(s.Subject, offer{Shared: s}.threshold())
}

// take lets an account have subjects of others.
func (a *accounts) take(account *server.Account, all []take) error {
	for _, t := range all {
		from := a.nats.GlobalAccount()
		if t.from == publishersAccount {
			from = a.publishers
		}
		var err error
		if t.Service {
			err = account.AddServiceImport(from, t.Local, t.Subject)
		} else {
			err = account.AddStreamImport(from, t.Subject, "")
		}
		if err != nil {
			return fmt.Errorf("account %s: import %s: %w", account.GetName(), t.Subject, err)
		}
	}
	return nil
}
