#include "kv/conformance.h"

namespace weir::kv {

Version EngineConformance::put(std::string_view key, std::string_view bytes) {
  auto transaction = engine().begin();
  transaction->put(key, bytes);
  Result<Version> version = transaction->commit();
  EXPECT_TRUE(version) << version.error().what;
  return version.value_or(0);
}

void EngineConformance::erase(std::string_view key) {
  auto transaction = engine().begin();
  transaction->erase(key);
  Result<Version> version = transaction->commit();
  EXPECT_TRUE(version) << version.error().what;
}

std::optional<Value> EngineConformance::value(std::string_view key) {
  Result<std::optional<Value>> found = engine().begin()->get(key);
  EXPECT_TRUE(found) << found.error().what;
  return found.value_or(std::nullopt);
}

std::string EngineConformance::text(std::string_view key) {
  std::optional<Value> found = value(key);
  return found ? found->bytes : "(absent)";
}

}  // namespace weir::kv
