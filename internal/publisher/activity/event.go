package activity

import (
	"cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
)

// TypeChange is the type of what stands in the log. Other types are those of the events of a ledger.
const TypeChange = "change"

// Tell returns an item as the API tells it, without names.
func (i Item) Tell() api.Event {
	if i.Event != nil {
		f := NewEvent(*i.Event)
		if f.Documents == nil {
			f.Documents = eventDocuments(i.Documents)
		}
		return f
	}
	tx := i.Change
	f := api.Event{
		Time: i.Time(), Type: TypeChange, Actor: i.Actor(), Request: tx[0].Request, Text: tx[0].Reason, OpID: tx.OpID(),
		Approvers: tx[0].Approvers, Revision: tx.Position().Token().String(), Documents: eventDocuments(i.Documents), Breaks: i.BreaksGlass,
	}
	for n, r := range tx {
		f.Documents[n].Action = "put"
		if r.Delete {
			f.Documents[n].Action = "delete"
		}
	}
	return f
}

func eventDocuments(ids []document.ID) []api.EventDocument {
	var documents []api.EventDocument
	for _, id := range ids {
		documents = append(documents, api.EventDocument{Kind: string(id.Kind), Key: id.Key})
	}
	return documents
}

// NewEvent returns an event of a ledger as the API tells it, without names.
func NewEvent(e control.RecordedEvent) api.Event {
	f := api.Event{
		Sequence: e.Sequence, Time: e.At, Type: string(e.Type), Actor: e.By, Request: e.Request, Hash: e.Hash, Text: e.Text,
		Outcome: string(e.Outcome), Approvers: e.Approvers, Count: e.Count, From: e.Since, Breaks: e.BreakGlass, Control: e.Control.Sequence,
	}
	if e.Position != nil {
		f.Revision = e.Position.Token().String()
	}
	if e.Proposal != nil {
		f.Breaks = e.Proposal.BreakGlass
		for _, c := range e.Proposal.Changes {
			f.Documents = append(f.Documents, api.EventDocument{Kind: string(c.Kind), Key: c.Key})
		}
	}
	if e.Refusal != nil {
		f.Action, f.Policies = string(e.Refusal.Action), e.Refusal.Policies
		if e.Refusal.Kind != "" {
			f.Documents = []api.EventDocument{{Kind: e.Refusal.Kind, Key: e.Refusal.Key}}
		}
	}
	for _, flag := range e.Flags {
		f.Documents = append(f.Documents, api.EventDocument{Kind: string(document.KindFlag), Key: flag.Key, Owner: flag.Owner, Since: flag.Since, Revision: flag.Revision})
	}
	if e.Lifecycle != nil {
		f.Lifecycle = new(LifecyclePolicy(*e.Lifecycle))
	}
	if e.Source != nil {
		f.Source, f.Version = e.Source.Name, cmp.Or(e.Source.Version, e.Source.Digest)
	}
	if e.Risk != nil {
		f.Risk = new(RiskSettings(*e.Risk))
	}
	return f
}

// RiskSettings returns what is risky as the API tells it.
func RiskSettings(r risk.Settings) api.RiskSettings {
	out := api.RiskSettings{Protected: r.Protected, Tags: r.Tags, Share: r.Share, Dependants: r.Dependants}
	for _, f := range r.Freezes {
		out.Freezes = append(out.Freezes, api.Freeze{From: f.From, To: f.To, Reason: f.Reason})
	}
	return out
}

// LifecyclePolicy returns what holds for flags that grow old as the API tells it.
func LifecyclePolicy(p lifecycle.Policy) api.LifecyclePolicy {
	out := api.LifecyclePolicy{ExpiringDays: p.ExpiringDays, StaleDays: p.StaleDays}
	for kind, rule := range p.OnExpiry {
		if out.OnExpiry == nil {
			out.OnExpiry = make(map[string]api.OnExpiry)
		}
		out.OnExpiry[kind] = api.OnExpiry{Action: string(rule.Action), FreezeTo: rule.FreezeTo}
	}
	return out
}
