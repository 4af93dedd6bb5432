package natsserver

import (
	"time"

	flagsync "github.com/flagside/flagside/sync"
)

// Names of accounts. Environments begin with a letter and have no underscore, so
// that none of theirs is one of the others.
const (
	streamsAccount    = "FLAGSIDE" // of servers that are not embedded; an embedded one uses its global account
	publishersAccount = "PUBLISHERS"
	sidecarsPrefix    = "SC_"
)

// How long the server keeps the way back for answers that may still come. Its
// default of two minutes would hold memory for every question of a flood.
const (
	answerTime   = 10 * time.Second
	streamedTime = 5 * time.Second // after each of several answers
)

func sidecarsAccount(environment string) string { return sidecarsPrefix + environment }

// layout is an account: what it offers to others and what it takes from them.
type layout struct {
	name      string
	jetStream bool
	offers    []offer
	takes     []take
}

// offer is a subject for the accounts that are named.
type offer struct {
	flagsync.Shared

	accounts []string
}

// take is a subject of another account.
type take struct {
	flagsync.Shared

	from string
}

// layouts returns all accounts of servers that are not embedded.
func layouts(environments []string) []layout {
	all := []layout{streamsLayout(streamsAccount, environments), publishersLayout(streamsAccount, environments)}
	for _, e := range environments {
		all = append(all, sidecarsLayout(streamsAccount, e))
	}
	return all
}

// streamsLayout is the account with the streams of the log. No user logs in to it.
func streamsLayout(name string, environments []string) layout {
	l := layout{name: name, jetStream: true}
	readers := append([]string{publishersAccount}, sidecarsAccounts(environments)...)
	for _, s := range flagsync.StreamReads() {
		l.offers = append(l.offers, offer{s, readers})
	}
	for _, s := range flagsync.StreamWrites() {
		l.offers = append(l.offers, offer{s, []string{publishersAccount}})
	}
	return l
}

// publishersLayout is the account of publishers. Its own JetStream is for what
// proves nothing, such as counts of evaluations.
func publishersLayout(streams string, environments []string) layout {
	l := layout{name: publishersAccount, jetStream: true}
	for _, s := range flagsync.PublisherOffers() {
		l.offers = append(l.offers, offer{s, sidecarsAccounts(environments)})
	}
	for _, s := range flagsync.PublisherTakes(environments...) {
		l.takes = append(l.takes, take{s, streams})
	}
	return l
}

// sidecarsLayout is the account of the sidecars of one environment.
func sidecarsLayout(streams, environment string) layout {
	l := layout{name: sidecarsAccount(environment)}
	for _, s := range flagsync.SidecarReads(environment) {
		l.takes = append(l.takes, take{s, streams})
	}
	for _, s := range flagsync.SidecarTakes(environment) {
		l.takes = append(l.takes, take{s, publishersAccount})
	}
	return l
}

func sidecarsAccounts(environments []string) []string {
	var names []string
	for _, e := range environments {
		names = append(names, sidecarsAccount(e))
	}
	return names
}

// threshold returns how long answers to an offer are waited for.
func (o offer) threshold() time.Duration {
	if o.Streamed {
		return streamedTime
	}
	return answerTime
}
