#include "object/object_store.h"

#include "base/check.h"
#include "base/limits.h"

namespace weir::object {

Result<Bytes> ObjectStore::get(std::string_view name, uint64_t offset, size_t length) {
  CHECK(length <= limits::kObjectBytes);
  Bytes bytes(length, '\0');
  ASSIGN_OR_RETURN(size_t got, get_into(name, offset, bytes));
  CHECK(got <= length);
  bytes.resize(got);
  return bytes;
}

}  // namespace weir::object
