// Compression that is killed and resumed until it is done.
#pragma once

namespace pqw::torture {

// Prints its row and returns whether every output was that of a run that was not killed.
bool kill_and_resume(bool all);

}  // namespace pqw::torture
