#include "base/patience.h"

#include <utility>

namespace weir {

namespace {

thread_local const Patience* current = nullptr;

}  // namespace

Patience::Patience(Ask ask) : ask_(std::move(ask)), before_(current) { current = this; }

Patience::~Patience() { current = before_; }

const Patience* Patience::of_this_thread() { return current; }

}  // namespace weir
