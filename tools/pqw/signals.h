// Signals, and libraries, that end the tool: nothing half-written is left.
#pragma once

namespace pqw::tool {

// From now on every signal that ends the tool, and a library that calls exit, removes what is being
// written; the signal then does what it does by default, and the status tells of it. Ignored
// signals stay ignored. A file that outgrows a limit (SIGXFSZ) is an error of writing instead.
void leave_nothing_behind();

}  // namespace pqw::tool
