package main

// clientBug is a case that a client fails whatever the server answers.
type clientBug struct{ client, mode, test, sentence string }

// clientBugs lists them. They are not worked around: a server that did would be wrong for the clients that are right.
func clientBugs() []clientBug {
	const formats = "@openfeature/ofrep-provider 0.1.3, the newest that npm has, calls an answer without a value malformed"
	return []clientBug{
		{"Go", "ofrep", "code default", "providers/ofrep v0.1.7 takes the reason DEFAULT without a value for a mismatch of types"},
		{"Node.js", "ofrep", "code default", formats},
		{"Node.js", "ofrep", "disabled", formats},
	}
}

// bugOf returns what is wrong with the client, "" if a failure is ours.
func bugOf(r result) string {
	for _, b := range clientBugs() {
		if b.client == r.client && b.mode == r.mode && b.test == r.test {
			return b.sentence
		}
	}
	return ""
}
