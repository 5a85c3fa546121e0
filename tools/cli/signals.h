// Leaves nothing half-written when a signal or a library ends the tool.
#pragma once

namespace pqw::tool {

// After this call, temporaries are removed when a signal ends the tool or a library calls exit. The
// signal then has its default effect, and the exit status shows it. Ignored signals stay ignored.
// SIGXFSZ is ignored, so a file that outgrows a limit is a write error.
void leave_nothing_behind();

}  // namespace pqw::tool
