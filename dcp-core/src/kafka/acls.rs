//! Who may do what.

use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse, DescribeAclsRequest,
    DescribeAclsResponse,
};

use super::client::{Effect, KafkaClient};
use super::refusal::Refusal;
use super::topics::{none_done, outcome};
use super::wire::text;
use crate::error::{Error, Failure};

macro_rules! numbered {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// One that a newer broker knows, by its number.
            Other(i8),
        }

        impl $name {
            fn code(self) -> i8 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Other(code) => code,
                }
            }

            fn of(code: i8) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    code => Self::Other(code),
                }
            }
        }
    };
}

numbered! {
    /// What is protected.
    AclResource {
        /// A topic.
        Topic = 2,
        /// A consumer group.
        Group = 3,
        /// The cluster; its name is `kafka-cluster`.
        Cluster = 4,
        /// A transactional id.
        TransactionalId = 5,
        /// A delegation token.
        DelegationToken = 6,
        /// A user.
        User = 7,
    }
}

numbered! {
    /// Which names are meant.
    AclPattern {
        /// This name; `*` is every name.
        Literal = 3,
        /// Names that begin so.
        Prefixed = 4,
    }
}

numbered! {
    /// What is done.
    AclOperation {
        /// Everything.
        All = 2,
        /// Reading records.
        Read = 3,
        /// Writing records.
        Write = 4,
        /// Making it.
        Create = 5,
        /// Removing it.
        Delete = 6,
        /// Changing it.
        Alter = 7,
        /// Seeing that it is there.
        Describe = 8,
        /// What brokers do among each other.
        ClusterAction = 9,
        /// Seeing its settings.
        DescribeConfigs = 10,
        /// Changing its settings.
        AlterConfigs = 11,
        /// Writing as an idempotent producer.
        IdempotentWrite = 12,
        /// Making tokens.
        CreateTokens = 13,
        /// Seeing tokens.
        DescribeTokens = 14,
        /// Transactions that another system commits.
        TwoPhaseCommit = 15,
    }
}

numbered! {
    /// Whether it is forbidden or allowed; what is forbidden stays so, whatever allows it.
    AclPermission {
        /// Forbidden.
        Deny = 2,
        /// Allowed.
        Allow = 3,
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::exhaustive_structs, reason = "the protocol has these seven")]
pub struct Acl {
    /// What is protected.
    pub resource: AclResource,
    /// Its name, as the pattern says.
    pub name: String,
    /// Which names are meant.
    pub pattern: AclPattern,
    /// Who, such as `User:alice`; `User:*` is everybody.
    pub principal: String,
    /// From where; `*` is anywhere.
    pub host: String,
    /// What is done.
    pub operation: AclOperation,
    /// Whether it may be done.
    pub permission: AclPermission,
}

/// Which rules are meant: those that agree with all that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "the protocol has these seven")]
pub struct AclFilter {
    /// What is protected.
    pub resource: Option<AclResource>,
    /// Its name.
    pub name: Option<String>,
    /// Which names are meant.
    pub pattern: Option<AclPattern>,
    /// Who.
    pub principal: Option<String>,
    /// From where.
    pub host: Option<String>,
    /// What is done.
    pub operation: Option<AclOperation>,
    /// Whether it may be done.
    pub permission: Option<AclPermission>,
}

const ANY: i8 = 1;

impl KafkaClient {
    /// The rules that a filter means.
    ///
    /// # Errors
    /// `Refused` if the client may not see them or the broker has no authorizer; `Retry` after the deadline.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn describe_acls(&self, filter: &AclFilter) -> Result<Vec<Acl>, Error> {
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(filter.resource.map_or(ANY, AclResource::code))
            .with_resource_name_filter(filter.name.as_deref().map(text))
            .with_pattern_type_filter(filter.pattern.map_or(ANY, AclPattern::code))
            .with_principal_filter(filter.principal.as_deref().map(text))
            .with_host_filter(filter.host.as_deref().map(text))
            .with_operation(filter.operation.map_or(ANY, AclOperation::code))
            .with_permission_type(filter.permission.map_or(ANY, AclPermission::code));
        let mut call = self.shared.call("asking for access rules");
        let code = |answer: &DescribeAclsResponse| Refusal::check(answer.error_code, answer.error_message.as_deref());
        let answer = self.shared.read_at(&mut call, None, &request, code).await?;
        let mut acls = Vec::new();
        for resource in answer.resources {
            acls.extend(resource.acls.iter().map(|acl| Acl {
                resource: AclResource::of(resource.resource_type),
                name: resource.resource_name.to_string(),
                pattern: AclPattern::of(resource.pattern_type),
                principal: acl.principal.to_string(),
                host: acl.host.to_string(),
                operation: AclOperation::of(acl.operation),
                permission: AclPermission::of(acl.permission_type),
            }));
        }
        acls.sort();
        Ok(acls)
    }

    /// Adds rules, each for itself, in their order. A rule that is there already stays. Brokers hear of them a
    /// moment after the answer.
    ///
    /// # Errors
    /// Of one rule: `Refused` if the client may not; `Invalid` if it cannot be. Of the call: `Retry` or in doubt
    /// after the deadline: call again.
    ///
    /// # Cancel safety
    /// As in doubt.
    pub async fn create_acls(&self, acls: &[Acl]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let creation = |acl: &Acl| {
            AclCreation::default()
                .with_resource_type(acl.resource.code())
                .with_resource_name(text(&acl.name))
                .with_resource_pattern_type(acl.pattern.code())
                .with_principal(text(&acl.principal))
                .with_host(text(&acl.host))
                .with_operation(acl.operation.code())
                .with_permission_type(acl.permission.code())
        };
        let request = CreateAclsRequest::default().with_creations(acls.iter().map(creation).collect());
        let mut effect = Effect::new(self.shared.call("adding access rules"));
        let code = |answer: &CreateAclsResponse| none_done(answer.results.iter().map(|result| result.error_code));
        let answer = self.shared.effect_at(&mut effect, None, &request, true, code).await?;
        if answer.results.len() != acls.len() {
            return Err(Failure::in_doubt("unreadable-answer", "another number of answers than of access rules"));
        }
        let each = acls.iter().zip(&answer.results);
        Ok(each.map(|(acl, result)| outcome(&acl.name, result.error_code, result.error_message.as_deref())).collect())
    }

    /// Removes the rules that filters mean, and gives those that this call removed. Brokers hear of it a moment after
    /// the answer.
    ///
    /// # Errors
    /// `Refused` if the client may not; `Retry` or in doubt after the deadline: call again.
    ///
    /// # Cancel safety
    /// As in doubt.
    pub async fn delete_acls(&self, filters: &[AclFilter]) -> Result<Vec<Acl>, Failure> {
        let wire = |filter: &AclFilter| {
            DeleteAclsFilter::default()
                .with_resource_type_filter(filter.resource.map_or(ANY, AclResource::code))
                .with_resource_name_filter(filter.name.as_deref().map(text))
                .with_pattern_type_filter(filter.pattern.map_or(ANY, AclPattern::code))
                .with_principal_filter(filter.principal.as_deref().map(text))
                .with_host_filter(filter.host.as_deref().map(text))
                .with_operation(filter.operation.map_or(ANY, AclOperation::code))
                .with_permission_type(filter.permission.map_or(ANY, AclPermission::code))
        };
        let request = DeleteAclsRequest::default().with_filters(filters.iter().map(wire).collect());
        let mut effect = Effect::new(self.shared.call("removing access rules"));
        let code =
            |answer: &DeleteAclsResponse| none_done(answer.filter_results.iter().map(|result| result.error_code));
        let answer = self.shared.effect_at(&mut effect, None, &request, true, code).await?;
        let mut removed = Vec::new();
        for result in answer.filter_results {
            outcome("a filter of access rules", result.error_code, result.error_message.as_deref())?;
            for acl in result.matching_acls {
                outcome(&*acl.resource_name, acl.error_code, acl.error_message.as_deref())?;
                removed.push(Acl {
                    resource: AclResource::of(acl.resource_type),
                    name: acl.resource_name.to_string(),
                    pattern: AclPattern::of(acl.pattern_type),
                    principal: acl.principal.to_string(),
                    host: acl.host.to_string(),
                    operation: AclOperation::of(acl.operation),
                    permission: AclPermission::of(acl.permission_type),
                });
            }
        }
        removed.sort();
        Ok(removed)
    }
}
