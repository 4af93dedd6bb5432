// Package follow keeps a target current with the change log of an environment: it takes the feed, reads what the feed loses, finds out
// whether the log still continues what is held, and knows how old its knowledge is. It writes nothing.
package follow
