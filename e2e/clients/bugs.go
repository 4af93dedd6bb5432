package main

import "slices"

// clientBug is cases that a client fails whatever the server answers. issue is where its authors speak of it, "" if nothing was found.
type clientBug struct {
	client          string
	modes, tests    []string
	sentence, issue string
}

// clientBugs lists them. They are not worked around: a server that did would be wrong for the clients that are right.
func clientBugs() []clientBug {
	const (
		escaping = "open-feature/js-sdk-contrib#1324 is the same in another language"
		defaults = "open-feature/protocol#46"
	)
	rpc := []string{"rpc", socketMode}
	return slices.Concat([]clientBug{
		{"Go", []string{"ofrep"}, []string{"code default"}, "providers/ofrep v0.1.7 takes the reason DEFAULT without a value for a mismatch of types", defaults},
		{
			"Go",
			[]string{"ofrep", "in-process"},
			[]string{"integer of 54 bits"},
			"numbers pass through 64-bit floating point and lose digits", "open-feature/flagd#1978",
		},
		{"Go", []string{"ofrep"}, []string{"key with a percent sign"}, "providers/ofrep v0.1.7 does not escape a percent sign in a key", escaping},
		{"Go", []string{"in-process"}, []string{"context enrichment"}, "providers/flagd v0.6.0 ignores sync_context", "open-feature/go-sdk-contrib#730"},
		{"Go", []string{"in-process"}, []string{"fraction asked for as an integer"}, "flagd's evaluator cuts the fraction off", "open-feature/go-sdk-contrib#923"},
		{
			"Node.js",
			[]string{"ofrep"},
			[]string{"code default", "disabled"},
			"@openfeature/ofrep-provider 0.1.3, the newest that npm has, calls an answer without a value malformed", defaults,
		},
		{
			"Node.js",
			[]string{"ofrep"},
			[]string{"key with a percent sign", "key with ? and #"},
			"@openfeature/ofrep-provider 0.1.3 does not escape keys", "open-feature/js-sdk-contrib#1324",
		},
		{
			"Node.js",
			[]string{"in-process"},
			[]string{"split of a name with umlauts"},
			"the hash is of UTF-16 and not of UTF-8, so that names outside ASCII get other variants", "",
		},
	}, pythonBugs(escaping), javaBugs(rpc), rustBugs(rpc, escaping))
}

func pythonBugs(escaping string) []clientBug {
	return []clientBug{
		{
			"Python",
			[]string{"ofrep"},
			[]string{"code default", "disabled"},
			"openfeature-provider-ofrep 0.3.0 fails with a KeyError where an answer has no variant, and the default of the application applies", "open-feature/protocol#46",
		},
		{"Python", []string{"ofrep"}, []string{"key with a percent sign", "key with ? and #"}, "openfeature-provider-ofrep 0.3.0 does not escape keys", escaping},
		{
			"Python",
			[]string{"rpc"},
			[]string{"sidecar restart"},
			staleCache("openfeature-provider-flagd 0.6.1"), "open-feature/java-sdk-contrib#1115 has the reason",
		},
	}
}

func javaBugs(rpc []string) []clientBug {
	large := []string{"integer of 53 bits", "negative integer of 53 bits", "integer of 54 bits"}
	return []clientBug{
		{
			"Java",
			[]string{"ofrep", "in-process"},
			large,
			"integers have 32 bits; larger ones are a mismatch of types", "open-feature/java-sdk#501",
		},
		{"Java", rpc, large, "integers have 32 bits, and flagd 0.11.15 cuts larger ones off", "open-feature/flagd#1978"},
		{
			"Java",
			[]string{"ofrep"},
			[]string{"code default", "disabled"},
			"ofrep 0.0.2 takes an answer without a value for FLAG_NOT_FOUND, and the default of the application applies", "open-feature/java-sdk-contrib#1850",
		},
		{
			"Java",
			[]string{"ofrep"},
			[]string{"key with a space", "key with a percent sign", "key with ? and #"},
			"ofrep 0.0.2 does not escape keys", "open-feature/js-sdk-contrib#1324 is the same in another language",
		},
		{
			"Java", append([]string{"in-process"}, rpc...),
			[]string{"code default"},
			"flagd 0.11.15 asks with the first version of the protocol, where the default of the application is FLAG_NOT_FOUND", "open-feature/protocol#46",
		},
		{"Java", rpc, []string{"disabled"}, "flagd 0.11.15 answers false, 0 or an empty text, and not the default of the application", "open-feature/java-sdk-contrib#1799"},
		{"Java", []string{"in-process"}, []string{"disabled"}, "flagd 0.11.15 takes a disabled flag for FLAG_NOT_FOUND", "open-feature/java-sdk-contrib#1799"},
		{
			"Java",
			[]string{"in-process"},
			[]string{"split of a name with umlauts", "split of a name in Japanese"},
			"names outside ASCII get other variants than from flagd", "",
		},
		{"Java", []string{"in-process"}, []string{"fraction asked for as an integer"}, "flagd 0.11.15 cuts the fraction off", "open-feature/java-sdk-contrib#1822"},
		{"Java", rpc, []string{"sidecar restart"}, staleCache("flagd 0.11.15"), "open-feature/java-sdk-contrib#1115"},
	}
}

func rustBugs(rpc []string, escaping string) []clientBug {
	flagd := append([]string{"in-process"}, rpc...)
	all := append([]string{"ofrep"}, flagd...)
	ofrep := all[:1]
	return []clientBug{
		{
			"Rust", ofrep,
			[]string{
				"targeting match", "targeting default", "version rule", "numbers and booleans in the context", "context enrichment",
				"split", "split of a name with umlauts", "split of a name in Japanese",
			},
			"open-feature-ofrep 0.1.2 calls every answer STATIC; the value is right", "",
		},
		{
			"Rust", all,
			[]string{"object in the context", "list in the context"},
			"the providers send no lists and objects of the context, because open-feature 0.3.0 has no type for them", "",
		},
		{
			"Rust", ofrep,
			[]string{"type mismatch", "fraction asked for as an integer", "number asked for as a string"},
			"open-feature-ofrep 0.1.2 calls a mismatch of types PARSE_ERROR", "",
		},
		{
			"Rust", ofrep,
			[]string{"code default", "disabled"},
			"open-feature-ofrep 0.1.2 calls an answer without a value PARSE_ERROR, and the default of the application applies", "open-feature/protocol#46",
		},
		{"Rust", ofrep, []string{"key with a percent sign", "key with ? and #"}, "open-feature-ofrep 0.1.2 does not escape keys", escaping},
		{"Rust", flagd, []string{"object"}, "open-feature-flagd 0.3.0 makes texts of lists and objects inside an object", ""},
		{
			"Rust", rpc,
			[]string{"type mismatch", "fraction asked for as an integer", "number asked for as a string"},
			"open-feature-flagd 0.3.0 calls a mismatch of types INVALID_CONTEXT", "",
		},
		{
			"Rust", flagd,
			[]string{"code default"},
			"open-feature-flagd 0.3.0 has an error where the default of the application applies, for which the SDK has no place", "open-feature/protocol#46",
		},
		{
			"Rust", rpc,
			[]string{"disabled"},
			"open-feature-flagd 0.3.0 answers false, 0 or an empty text, and not the default of the application", "open-feature/flagd#1965",
		},
		{"Rust", []string{"in-process"}, []string{"disabled"}, "open-feature-flagd 0.3.0 takes a disabled flag for FLAG_NOT_FOUND", "open-feature/flagd#1965"},
		{
			"Rust", rpc,
			[]string{"changed answer", "sidecar restart"},
			"open-feature-flagd 0.3.0 has no events that empty its cache, so that an answer may be a minute old: disable its cache (FLAGD_CACHE=disabled)", "",
		},
	}
}

// mayPass returns whether the cases pass at times: whether a cache has an old answer depends on when the client asks, and how long the sidecar is away.
func (b clientBug) mayPass() bool { return slices.Contains(b.tests, "sidecar restart") }

// staleCache is what is wrong with providers that keep what they had before they lost the sidecar.
func staleCache(provider string) string {
	return provider + " keeps its cache when it connects again within its grace period, and with it answers that changed meanwhile: " +
		"disable its cache (FLAGD_CACHE=disabled) where that matters"
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
