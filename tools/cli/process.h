// What may end the tool without a message or with half-written files: limits, signals, libraries.
#pragma once

namespace pqw::tool {

// Raises a limit on the stack that is too low. Lowers the limit on processor time by a second if
// the kernel would otherwise answer with SIGKILL at once: SIGXCPU then comes first, and can be
// caught. Errors: kIo when the stack is too small to work with and may not be raised.
void adapt_limits();

// After this call, temporaries are removed when a signal ends the tool or a library calls exit. The
// signal then has its default effect, and the exit status shows it. Ignored signals stay ignored.
// SIGXFSZ is ignored, so a file that outgrows a limit is a write error.
void leave_nothing_behind();

}  // namespace pqw::tool
