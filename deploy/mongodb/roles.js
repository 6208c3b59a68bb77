// Made from shared/contracts/topics.py by `python -m deploy.generate`; not to be edited.
// mongosh <URL of an administrator> roles.js
const ROLES = [
  {
    "role": "lianyi_notes",
    "privileges": [
      {
        "resource": {
          "db": "lianyi_notes",
          "collection": ""
        },
        "actions": [
          "find",
          "insert",
          "update",
          "remove",
          "createCollection",
          "createIndex",
          "dropIndex",
          "listCollections",
          "listIndexes"
        ]
      }
    ]
  },
  {
    "role": "lianyi_groups",
    "privileges": [
      {
        "resource": {
          "db": "lianyi_groups",
          "collection": ""
        },
        "actions": [
          "find",
          "insert",
          "update",
          "remove",
          "createCollection",
          "createIndex",
          "dropIndex",
          "listCollections",
          "listIndexes"
        ]
      }
    ]
  },
  {
    "role": "lianyi_recommend",
    "privileges": [
      {
        "resource": {
          "db": "lianyi_recommend",
          "collection": ""
        },
        "actions": [
          "find",
          "insert",
          "update",
          "remove",
          "createCollection",
          "createIndex",
          "dropIndex",
          "listCollections",
          "listIndexes"
        ]
      }
    ]
  },
  {
    "role": "lianyi_moderation",
    "privileges": [
      {
        "resource": {
          "db": "lianyi_moderation",
          "collection": ""
        },
        "actions": [
          "find",
          "insert",
          "update",
          "remove",
          "createCollection",
          "createIndex",
          "dropIndex",
          "listCollections",
          "listIndexes"
        ]
      }
    ]
  }
];

const admin = db.getSiblingDB("admin");
for (const {role, privileges} of ROLES) {
  const known = admin.getRole(role) !== null;
  admin.runCommand({[known ? "updateRole" : "createRole"]: role, privileges, roles: []});
}
