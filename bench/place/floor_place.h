#pragma once

#include <memory>

#include "bench/place/place.h"

namespace weir::bench {

/// What the kernel channel reaches when answers cost nothing: weir_floor, mounted. Unmounted by the destructor.
class FloorPlace : public Place {
 public:
  /// `program` is weir_floor. Makes `directory`. Blocks: until it is mounted.
  static Result<std::unique_ptr<FloorPlace>> mount(const std::string& program, const std::string& directory);
  ~FloorPlace() override;

  Status settle() override { return {}; }
  std::optional<pid_t> server() const override { return server_; }

 private:
  FloorPlace(const std::string& directory, pid_t server);

  const pid_t server_;
};

}  // namespace weir::bench
