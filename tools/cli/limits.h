// Limits of the process that would end the tool without a message.
#pragma once

namespace pqw::tool {

// Raises a limit on the stack that is too low. Lowers the limit on processor time by a second if
// the kernel would otherwise answer with SIGKILL at once: SIGXCPU then comes first, and can be
// caught. Errors: kIo when the stack is too small to work with and may not be raised.
void adapt_limits();

}  // namespace pqw::tool
