// Tells what became of an output when a run fails.
#pragma once

#include <functional>
#include <string>

namespace pqw::tool {

// Calls `write`, which writes `output`, then `report`. If one of them throws, also when memory runs
// out, the error message ends with what became of the file: it is as it was, was not written, or is
// complete. An empty `output` means that there is none.
void write_output(const std::string& output, const std::function<void()>& write,
                  const std::function<void()>& report);

}  // namespace pqw::tool
