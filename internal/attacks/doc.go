// Package attacks reads like a threat model: each test is what the holder of a stolen credential, or a process on the same machine, may
// try against real servers. It has no code of its own.
package attacks
