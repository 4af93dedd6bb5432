// Package attacks reads like a threat model. [All] lists what attackers try, and the test that tries it; the tests here are what the
// holder of a stolen credential, or a process on the same machine, may try against real servers. The command report runs the list.
package attacks
