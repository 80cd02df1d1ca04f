// Who keeps what policies say beyond a container's plan, beside the container: wall time and the network of names.
//
// The guard itself is in runtime/guard; create starts it when the init waits, and delete ends it. It leaves by itself when the
// init ends.
#pragma once

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "policy/policy.hpp"

#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace brig::container {

struct Guarded {
    std::string id;
    pid_t pid = 0; // of the init
    FdRef init{-1};
    FdRef network_namespace{-1}; // these two for a guard with a resolver_configuration
    FdRef user_namespace{-1};
    Fd program_runs; // at its end when the program runs; invalid: it does already
    bool terminal = false;
    std::function<Result<>()> end_all; // kills all processes of the container
    const Log* log = nullptr;
};

class Guard {
public:
    Guard() = default;
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    virtual ~Guard() = default;

    // The container's /etc/resolv.conf; empty: it keeps its own.
    virtual std::string resolver_configuration() const = 0;
    // The guard's pid, when it watches. On failure nothing of it is left.
    virtual Result<pid_t> start(Guarded guarded) const = 0;
};

// Null: the policies say nothing that needs one.
using MakeGuard = std::function<Result<std::unique_ptr<Guard>>(const std::vector<policy::Policy>&)>;

// In the state directory, for a guard that answers names.
inline constexpr const char* resolver_file_name = "resolv.conf";

} // namespace brig::container
