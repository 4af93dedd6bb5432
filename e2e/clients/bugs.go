package main

import "slices"

// clientBug is cases that a client fails whatever the server answers. issue is where the client's authors are told, "" if nothing was found.
type clientBug struct {
	client          string
	modes, tests    []string
	sentence, issue string
}

// clientBugs lists them. They are not worked around: a server that did would be wrong for the clients that are right.
func clientBugs() []clientBug {
	return []clientBug{}
}

// bugOf returns the number of what is wrong with the client, from 1; 0 if a failure is ours.
func bugOf(r result) int {
	for i, b := range clientBugs() {
		if b.client == r.client && slices.Contains(b.modes, r.mode) && slices.Contains(b.tests, r.test) {
			return i + 1
		}
	}
	return 0
}
