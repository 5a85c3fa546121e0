// What the handles of the C API hold.
#pragma once

#include <mutex>
#include <set>
#include <string>

#include "pqw.h"
#include "pqw/model/model.h"

struct pqw_model {
  pqw::Model model;
  mutable std::mutex mutex = {};  // of `codecs`
  mutable std::set<std::string> codecs =
      {};  // names that were asked for, for as long as this lives
};
