// Limits of the process that would end the tool without a word.
#pragma once

namespace pqw::tool {

// Raises the limit on the stack where it is too low, as far as it may; lowers the limit on
// processor time by a second where only SIGKILL would tell that it is reached, so that SIGXCPU
// comes before. Errors: kIo when the stack is too small to work with.
void adapt_limits();

}  // namespace pqw::tool
